import type { WorkerEffect } from './worker-events.js';
import type { WorkerState } from './worker-state.js';

/** One call of decideWorker: the state it updates and the effects it collects. */
export interface WorkerTurn {
  readonly state: WorkerState;
  readonly effects: WorkerEffect[];
}
