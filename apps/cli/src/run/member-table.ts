// The workers of a run as a table, for `cria status` and `cria watch`.
import { formatBytes, formatCount, formatDuration } from '@cria/metrics';
import type { MemberData } from '../watch/run-data.js';
import type { TableColumn } from './table.js';

/** Silence is not death: before this, a contact is ordinary and its age only noise. */
export const SILENT_MS = 3_000;

/**
 * What fits 80 columns comes first: who, how far and how fast, with what memory and GPU; at 120 there are version, host
 * and device too. The GPU has a column where anybody has one.
 *
 * @param show makes text of others printable
 */
export function memberColumns(
  show: (text: string) => string,
  members: readonly MemberData[],
): ReadonlyArray<TableColumn<MemberData>> {
  const gpu: TableColumn<MemberData> = {
    title: 'gpu',
    align: 'right',
    rank: 5,
    cell: (member) => gpuOf(member),
  };
  return [
    { title: 'worker', align: 'left', rank: 0, cell: ({ id }) => show(id) },
    { title: 'role', align: 'left', rank: 11, cell: ({ role }) => show(role) },
    { title: 'slots', align: 'right', rank: 4, cell: (member) => show(slotsOf(member)) },
    { title: 'tok/s', align: 'right', rank: 2, cell: (member) => speedOf(member) },
    { title: 'speed', align: 'right', rank: 3, cell: ({ speedRatio }) => ratio(speedRatio) },
    { title: 'wait', align: 'right', rank: 6, cell: ({ waitMs }) => `${Math.round(waitMs)} ms` },
    { title: 'received', align: 'right', rank: 12, cell: (member) => bytes(member.bytesReceived) },
    { title: 'sent', align: 'right', rank: 13, cell: (member) => bytes(member.bytesSent) },
    { title: 'memory', align: 'right', rank: 7, cell: (member) => bytes(member.memoryBytes) },
    ...(members.some((member) => member.gpu !== null) ? [gpu] : []),
    { title: 'device', align: 'left', rank: 10, cell: ({ device }) => show(shortDevice(device)) },
    {
      title: 'version',
      align: 'left',
      rank: 8,
      cell: ({ version }) => (version === '' ? '-' : show(version)),
    },
    { title: 'host', align: 'left', rank: 9, cell: ({ host }) => show(host) },
    { title: 'pid', align: 'right', rank: 14, cell: ({ pid }) => String(pid) },
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

/** Who is no member has no slots; that he catches up or waits is worth more than a dash. */
function slotsOf({ slots, role }: MemberData): string {
  if (slots.length === 0) return role === 'member' ? '-' : role;
  return slots.length > 6 ? String(slots.length) : slots.join(',');
}

/** How busy, and how much of its memory is taken: `97% 56.8GiB`; what nobody can say is left out. */
function gpuOf({ gpu }: MemberData): string {
  const use = gpu?.use == null ? [] : [`${Math.round(gpu.use * 100)}%`];
  const memory = gpu?.memoryBytes == null ? [] : [formatBytes(gpu.memoryBytes)];
  return [...use, ...memory].join(' ') || '-';
}

/** The vendor's name says nothing that the model's does not. */
function shortDevice(device: string): string {
  return device.replace(/\bNVIDIA /, '');
}

function speedOf({ tokensPerSecond }: MemberData): string {
  return tokensPerSecond > 0 ? formatCount(tokensPerSecond) : '-';
}

function ratio(value: number | null): string {
  return value === null ? '-' : `${value.toFixed(2)}x`;
}

function bytes(value: number): string {
  return value > 0 ? formatBytes(value) : '-';
}
