// Members as the table sorts and judges them. Silence and slowness are facts with numbers; nobody is called dead.
import type { Member, RunEvent } from '../api/types';

export const SILENT_MS = 3_000;
/** Below this share of the median speed a member is marked. */
const SLOW_SHARE = 0.6;

export type SortKey =
  | 'id'
  | 'tokensPerSecond'
  | 'lagMs'
  | 'waitMs'
  | 'bytesSent'
  | 'memoryBytes'
  | 'lastContactMs'
  | 'joinedWallMs';

export function medianSpeed(members: readonly Member[]): number {
  const speeds = members
    .map(({ tokensPerSecond }) => tokensPerSecond)
    .filter((speed) => speed > 0)
    .sort((a, b) => a - b);
  return speeds[Math.floor(speeds.length / 2)] ?? 0;
}

/** To the median: 0.5 is half as fast; null where there is nothing to compare. */
export function speedRatio(member: Member, median: number): number | null {
  if (member.speedRatio !== undefined) return member.speedRatio;
  return median > 0 && member.tokensPerSecond > 0 ? member.tokensPerSecond / median : null;
}

/** Milliseconds that a member's slots take longer than the median's, in a step; null where that is not known. */
export function lagMs(member: Member, members: readonly Member[]): number | null {
  if (member.lagMs != null) return Math.max(0, member.lagMs);
  const known = members.flatMap(({ slotMs }) => (slotMs == null ? [] : [slotMs])).sort((a, b) => a - b);
  const median = known[Math.floor(known.length / 2)];
  if (member.slotMs == null || median === undefined) return null;
  return Math.max(0, member.slotMs - median) * member.slots.length;
}

export function isSlow(member: Member, median: number): boolean {
  const ratio = speedRatio(member, median);
  return member.role === 'member' && ratio !== null && ratio < SLOW_SHARE;
}

export function isSilent(member: Member): boolean {
  return member.lastContactMs >= SILENT_MS;
}

export function sortMembers(members: readonly Member[], key: SortKey, descending: boolean): Member[] {
  const value = (member: Member): string | number => member[key] ?? 0;
  const sign = descending ? -1 : 1;
  return [...members].sort((a, b) => sign * compare(value(a), value(b)) || compare(a.id, b.id));
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Without the vendor's name, which says nothing that the model's does not, so that the model fits the column. */
export function shortDevice(device: string): string {
  return device.replace(/\bNVIDIA /, '');
}

export function matches({ id, host, device, engine }: Member, text: string): boolean {
  return `${id} ${host} ${device} ${engine ?? ''}`.toLowerCase().includes(text.toLowerCase());
}

const GONE_KINDS = new Set(['worker-lost', 'worker-left', 'worker-evicted']);

/** The newest goodbye of everybody who is not here now, newest first. */
export function goneWorkers(
  events: readonly RunEvent[],
  members: readonly Member[],
  most: number,
): readonly RunEvent[] {
  const here = new Set(members.map(({ id }) => id));
  const gone = new Map<string, RunEvent>();
  for (const event of [...events].reverse()) {
    const { worker, kind } = event;
    if (worker === undefined || !GONE_KINDS.has(kind) || here.has(worker) || gone.has(worker)) continue;
    gone.set(worker, event);
    if (gone.size >= most) break;
  }
  return [...gone.values()];
}

/** Who computes each slot; null where nobody does. */
export function slotOwners(members: readonly Member[]): ReadonlyArray<string | null> {
  const count = Math.max(0, ...members.flatMap(({ slots }) => slots).map((slot) => slot + 1));
  const owners = new Array<string | null>(count).fill(null);
  for (const { id, slots } of members) for (const slot of slots) owners[slot] = id;
  return owners;
}
