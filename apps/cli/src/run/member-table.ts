// The workers of a run as a table, for `cria status` and `cria watch`.
import { formatCount, formatDuration } from '@cria/metrics';
import type { MemberData } from '../watch/run-data.js';
import type { TableColumn } from './table.js';

/** Silence is not death: before this, a contact is ordinary and its age only noise. */
export const SILENT_MS = 3_000;

/** @param show makes text of others printable */
export function memberColumns(
  show: (text: string) => string,
  slots: 'numbers' | 'count',
): ReadonlyArray<TableColumn<MemberData>> {
  return [
    { title: 'worker', align: 'left', rank: 0, cell: ({ id }) => show(id) },
    { title: 'role', align: 'left', rank: 5, cell: ({ role }) => show(role) },
    { title: 'slots', align: 'right', rank: 4, cell: (member) => slotsOf(member, slots) },
    { title: 'tok/s', align: 'right', rank: 2, cell: (member) => speedOf(member) },
    { title: 'speed', align: 'right', rank: 3, cell: ({ speedRatio }) => ratio(speedRatio) },
    { title: 'wait', align: 'right', rank: 6, cell: ({ waitMs }) => `${Math.round(waitMs)} ms` },
    { title: 'received', align: 'right', rank: 9, cell: (member) => bytes(member.bytesReceived) },
    { title: 'sent', align: 'right', rank: 10, cell: (member) => bytes(member.bytesSent) },
    { title: 'memory', align: 'right', rank: 8, cell: (member) => bytes(member.memoryBytes) },
    { title: 'device', align: 'left', rank: 11, cell: ({ device }) => show(device) },
    { title: 'host', align: 'left', rank: 7, cell: ({ host }) => show(host) },
    { title: 'pid', align: 'right', rank: 12, cell: ({ pid }) => String(pid) },
    { title: 'contact', align: 'left', rank: 1, cell: (member) => contactOf(member) },
  ];
}

/** `no contact for 12 s`, never "crashed": a machine that hangs or a network that is cut looks the same from here. */
export function contactOf({ lastContactMs, lagSteps }: MemberData): string {
  if (lastContactMs >= SILENT_MS) return `no contact for ${formatDuration(lastContactMs)}`;
  return lagSteps > 0 ? `${lagSteps} ${lagSteps === 1 ? 'step' : 'steps'} behind` : 'ok';
}

/** The steps that a fast member has done twice are not worth a warning; half the median's speed is. */
export function isStraggler({ speedRatio }: MemberData): boolean {
  return speedRatio !== null && speedRatio <= 0.5;
}

function slotsOf({ slots }: MemberData, how: 'numbers' | 'count'): string {
  if (slots.length === 0) return '-';
  return how === 'count' || slots.length > 6 ? String(slots.length) : slots.join(',');
}

function speedOf({ tokensPerSecond }: MemberData): string {
  return tokensPerSecond > 0 ? formatCount(tokensPerSecond) : '-';
}

function ratio(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(2)}x`;
}

function bytes(value: number): string {
  return value > 0 ? `${formatCount(value)}B` : '-';
}
