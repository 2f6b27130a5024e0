// What the decisions ask of the state: who is here, who works, who holds which slots.
import type { WorkerId } from '@cria/runtime';
import type { LeaderState, WorkerRecord } from './leader-state.js';

/** Workers in the order of joining, then by id: the order of parts and stripes. */
export function workersByAge(state: LeaderState): readonly WorkerRecord[] {
  state.byAge ??= [...state.workers.values()].sort(
    (a, b) => a.joinedMs - b.joinedMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  );
  return state.byAge;
}

export function membersOf(state: LeaderState): WorkerRecord[] {
  return workersByAge(state).filter((worker) => worker.role === 'member');
}

/** Members that work on the step: those who leave only when nobody else is there, so that a begun step ends. */
export function workingMembers(state: LeaderState): WorkerRecord[] {
  const here = membersOf(state).filter((member) => member.position === state.next);
  const staying = here.filter((member) => member.leaving === null);
  return staying.length > 0 || !stepHasBegun(state) ? staying : here;
}

/** Slots that the step's record gives to a worker, granted or done. */
export function slotsOf(state: LeaderState, worker: WorkerId): number[] {
  return state.slots.flatMap((slot, k) => (slot.kind !== 'open' && slot.worker === worker ? [k] : []));
}

/** The same for all workers at once: one pass, however many there are. */
export function slotsByWorker(state: LeaderState): Map<WorkerId, number[]> {
  const slotsOfWorker = new Map<WorkerId, number[]>();
  state.slots.forEach((slot, k) => {
    if (slot.kind === 'open') return;
    const own = slotsOfWorker.get(slot.worker);
    if (own === undefined) slotsOfWorker.set(slot.worker, [k]);
    else own.push(k);
  });
  return slotsOfWorker;
}

export function stepHasBegun(state: LeaderState): boolean {
  return (
    state.exchange !== null || state.prepared.size > 0 || state.slots.some((slot) => slot.kind !== 'open')
  );
}

/** Slots that wait at a worker or are computed there, spares among them. */
export function loadOf(state: LeaderState, worker: WorkerId): number {
  let load = 0;
  for (const slot of state.slots) if (slot.kind === 'granted' && slot.worker === worker) load += 1;
  for (const spares of state.spares.values())
    for (const spare of spares) if (spare.digest === null && spare.worker === worker) load += 1;
  return load;
}

/** The same for all workers at once; who is not in it has none. */
export function loadByWorker(state: LeaderState): Map<WorkerId, number> {
  const loads = new Map<WorkerId, number>();
  const count = (worker: WorkerId): void => void loads.set(worker, (loads.get(worker) ?? 0) + 1);
  for (const slot of state.slots) if (slot.kind === 'granted') count(slot.worker);
  for (const spares of state.spares.values())
    for (const spare of spares) if (spare.digest === null) count(spare.worker);
  return loads;
}
