// What is in the accumulator, and what goes in next.
import type { WorkerTurn } from './turn.js';

/** Begins the next waiting slot unless one is being computed. */
export function startNextSlot({ state, effects }: WorkerTurn): void {
  if (state.computing !== null || state.phase !== 'ready') return;
  const work = state.queue.shift();
  if (work === undefined) return;
  state.computing = { slot: work.slot, spare: work.spare };
  effects.push({
    do: 'compute',
    work,
    first: !work.spare && state.has.size === 0,
    generation: state.generation,
  });
}

/** A slot cannot be taken out of a sum: all of it goes. Results of slots begun before will be ignored; spares stay. */
export function dropAccumulator({ state, effects }: WorkerTurn): void {
  state.generation += 1;
  state.has.clear();
  state.queue = state.queue.filter((work) => work.spare);
  if (state.computing?.spare === false) state.computing = null;
  state.exchange = null;
  state.exchangeRunning = false;
  effects.push({ do: 'drop-accumulator' });
}
