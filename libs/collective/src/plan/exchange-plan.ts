// Who owns which part, and whether the leader's sets can add up. Pure.
import type { MemberSet } from '@cria/protocol';

/** Index of the member that owns a part: part i belongs to member i mod n, in the order of the Exchange. */
export function ownerIndex(part: number, members: number): number {
  return part % members;
}

/** The parts that member `index` of `members` owns, ascending, of `parts` in all (the report part included). */
export function ownedParts(index: number, members: number, parts: number): number[] {
  const owned: number[] = [];
  for (let part = index; part < parts; part += members) owned.push(part);
  return owned;
}

/** Slots that the sets name twice, not at all, or that the run does not have. Empty: disjoint and together all. */
export function faultySlots(sets: readonly MemberSet[], slots: number): number[] {
  const counts = new Map<number, number>(Array.from({ length: slots }, (_, slot) => [slot, 0]));
  for (const set of sets) {
    for (const slot of set.slots) counts.set(slot, (counts.get(slot) ?? 1) + 1);
  }
  return [...counts].filter(([, count]) => count !== 1).map(([slot]) => slot);
}

/** Whether two lists hold the same slots, in any order. */
export function sameSlots(a: readonly number[], b: readonly number[]): boolean {
  const ofA = new Set(a);
  return ofA.size === new Set(b).size && a.length === b.length && b.every((slot) => ofA.has(slot));
}
