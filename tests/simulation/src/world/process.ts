// One operating-system process of the simulated cluster: it can be killed at any event, or stopped (SIGSTOP) and
// continued, when everything that was due meanwhile comes at once.
import { Future, type Task, type Wait } from './future.js';
import { ViolationFound } from './violation.js';
import type { World } from './world.js';

export interface SimTimer {
  cancel(): void;
}

interface Held {
  readonly kind: 'timer' | 'arrival';
  readonly run: () => void;
}

export class SimProcess {
  readonly id: string;
  /** Processes on one host share its links. */
  readonly host: string;
  readonly world: World;
  #alive = true;
  #stopped = false;
  #held: Held[] = [];
  readonly #onDeath = new Set<() => void>();

  constructor(world: World, id: string, host: string) {
    this.world = world;
    this.id = id;
    this.host = host;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  log(text: () => string): void {
    this.world.log(this.id, text);
  }

  /** A timer of this process. */
  after(delayMs: number, run: () => void): SimTimer {
    let cancelled = false;
    this.world.at(this.world.nowMs + Math.max(0, delayMs), () => {
      if (!cancelled) this.#enter('timer', () => (cancelled ? undefined : run()));
    });
    return { cancel: () => (cancelled = true) };
  }

  /** Something that arrives from outside after `delayMs`. */
  arrive(delayMs: number, run: () => void): void {
    this.world.at(this.world.nowMs + Math.max(0, delayMs), () => this.#enter('arrival', run));
  }

  /** Later in the same event. */
  soon(run: () => void): void {
    this.world.soon(() => {
      if (this.#stopped) this.#held.push({ kind: 'arrival', run });
      else if (this.#alive) run();
    });
  }

  spawn<T>(task: Task<T>): Future<T> {
    const future = new Future<T>();
    const step = (): void => {
      if (!this.#alive) return;
      let result: IteratorResult<Wait, T>;
      try {
        result = task.next();
      } catch (error) {
        if (error instanceof ViolationFound) throw error;
        return future.reject(error);
      }
      if (result.done === true) return future.resolve(result.value);
      let resumed = false;
      result.value(() => {
        if (resumed) return;
        resumed = true;
        step();
      });
    };
    step();
    return future;
  }

  /** The task runs on its own; how it may fail, its author has thought of, so any error is a finding. */
  run(task: Task<unknown>, onError?: (error: unknown) => void): void {
    this.spawn(task).onSettled((outcome) => {
      if (!('error' in outcome)) return;
      if (onError === undefined) this.world.crashed(this.id, outcome.error);
      else onError(outcome.error);
    });
  }

  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#held = [];
    for (const listener of [...this.#onDeath]) listener();
  }

  /** @returns a function that stops listening */
  onDeath(listener: () => void): () => void {
    this.#onDeath.add(listener);
    return () => this.#onDeath.delete(listener);
  }

  stop(): void {
    if (this.#alive) this.#stopped = true;
  }

  continue(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    const timers = this.#held.filter((one) => one.kind === 'timer');
    const arrivals = this.#held.filter((one) => one.kind === 'arrival');
    this.#held = [];
    const { rng } = this.world;
    while (timers.length + arrivals.length > 0) {
      const fromTimers = rng.below(timers.length + arrivals.length) < timers.length;
      const next = (fromTimers ? timers : arrivals).shift() as Held;
      this.world.at(this.world.nowMs, () => this.#enter(next.kind, next.run));
    }
  }

  #enter(kind: Held['kind'], run: () => void): void {
    if (!this.#alive) return;
    if (this.#stopped) this.#held.push({ kind, run });
    else run();
  }
}
