// Calls into another thread of the same process: they arrive in order, answers come back in order of completion.
import { Future, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';

export class ThreadPort {
  readonly #process: SimProcess;
  #thereMs = 0;
  #backMs = 0;

  constructor(process: SimProcess) {
    this.#process = process;
  }

  call<T>(act: () => Task<T>): Future<T> {
    const result = new Future<T>();
    this.#thereMs = this.#send(this.#thereMs, () => {
      this.#process.spawn(act()).onSettled((outcome) => {
        this.back(() => ('error' in outcome ? result.reject(outcome.error) : result.resolve(outcome.value)));
      });
    });
    return result;
  }

  /** From the thread to its owner. */
  back(run: () => void): void {
    this.#backMs = this.#send(this.#backMs, run);
  }

  #send(lastMs: number, run: () => void): number {
    const { world } = this.#process;
    const atMs = Math.max(lastMs, world.nowMs + world.between(0.02, 0.3));
    this.#process.arrive(atMs - world.nowMs, run);
    return atMs;
  }
}
