// Deterministic stand-ins for promises. A task is a generator that yields whatever it waits for; the world resumes it
// in an order that depends on nothing but the seed, and a dead process's tasks are simply never resumed.
import type { SimProcess } from './process.js';

/** What a task waits for: called with the function that lets it go on (calling that twice does no harm). */
export type Wait = (resume: () => void) => void;

export type Task<T = void> = Generator<Wait, T, void>;

/** Ends tasks that listen to it. */
export class Abort {
  #why: string | null = null;
  readonly #listeners = new Set<() => void>();

  get aborted(): boolean {
    return this.#why !== null;
  }

  get why(): string {
    return this.#why ?? '';
  }

  abort(why: string): void {
    if (this.#why !== null) return;
    this.#why = why;
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
  }

  /** @returns a function that stops listening */
  onAbort(listener: () => void): () => void {
    if (this.aborted) listener();
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.#why !== null) throw new Aborted(this.#why);
  }
}

/** How a task ends that was aborted. */
export class Aborted extends Error {}

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** A value that comes later. */
export class Future<T> {
  #outcome: Outcome<T> | null = null;
  #listeners: Array<(outcome: Outcome<T>) => void> = [];

  static of<T>(value: T): Future<T> {
    const future = new Future<T>();
    future.resolve(value);
    return future;
  }

  get settled(): boolean {
    return this.#outcome !== null;
  }

  resolve(value: T): void {
    this.#settle({ value });
  }

  reject(error: unknown): void {
    this.#settle({ error });
  }

  onSettled(listener: (outcome: Outcome<T>) => void): void {
    if (this.#outcome !== null) listener(this.#outcome);
    else this.#listeners.push(listener);
  }

  #settle(outcome: Outcome<T>): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener(outcome);
  }
}

/** Waits for a future. Throws its error, or Aborted. */
export function* wait<T>(process: SimProcess, future: Future<T>, abort?: Abort): Task<T> {
  abort?.throwIfAborted();
  let outcome: Outcome<T> | null = null;
  yield (resume) => {
    const goOn = (): void => {
      off?.();
      process.soon(resume);
    };
    const off = abort?.onAbort(goOn);
    future.onSettled((settled) => {
      outcome = settled;
      goOn();
    });
  };
  if (abort?.aborted === true) throw new Aborted(abort.why);
  return valueOf(outcome as Outcome<T> | null);
}

export function sleep(process: SimProcess, delayMs: number, abort?: Abort): Task {
  return pause(process, delayMs, { abort });
}

/** @returns whether the future settled in time */
export function* waitAtMost<T>(
  process: SimProcess,
  future: Future<T>,
  patienceMs: number,
  abort?: Abort,
): Task<boolean> {
  yield* pause(process, patienceMs, { abort, future });
  return future.settled;
}

/** Until the time has come, or the future, whichever is first; throws Aborted. */
function* pause<T>(
  process: SimProcess,
  delayMs: number,
  { abort, future }: { abort?: Abort | undefined; future?: Future<T> },
): Task {
  abort?.throwIfAborted();
  yield (resume) => {
    const goOn = (): void => {
      off?.();
      timer.cancel();
      process.soon(resume);
    };
    const timer = process.after(delayMs, goOn);
    const off = abort?.onAbort(goOn);
    future?.onSettled(goOn);
  };
  abort?.throwIfAborted();
}

/** Runs tasks side by side; resolves with all values, or throws the first error (the others go on). */
export function* all<T>(process: SimProcess, tasks: ReadonlyArray<Task<T>>): Task<T[]> {
  const futures = tasks.map((task) => process.spawn(task));
  const first = new Future<void>();
  let open = futures.length;
  if (open === 0) return [];
  const values = new Array<T>(open);
  futures.forEach((future, i) =>
    future.onSettled((outcome) => {
      if ('error' in outcome) return first.reject(outcome.error);
      values[i] = outcome.value;
      open -= 1;
      if (open === 0) first.resolve();
    }),
  );
  yield* wait(process, first);
  return values;
}

/** Runs `act` for every item, at most `limit` at a time; the first error ends it. */
export function* forEachLimited<T>(
  process: SimProcess,
  items: readonly T[],
  limit: number,
  act: (item: T) => Task,
): Task {
  let next = 0;
  function* lane(): Task {
    while (next < items.length) yield* act(items[next++] as T);
  }
  yield* all(
    process,
    Array.from({ length: Math.min(limit, items.length) }, () => lane()),
  );
}

/** Tasks that run one after the other; an error of one does not keep the next from running. */
export class Chain {
  readonly #process: SimProcess;
  #last: Future<void> = Future.of<void>(undefined);

  constructor(process: SimProcess) {
    this.#process = process;
  }

  /** Settles when everything pushed so far is through; never rejects. */
  get last(): Future<void> {
    return this.#last;
  }

  push<T>(act: () => Task<T>): Future<T> {
    const before = this.#last;
    const process = this.#process;
    const result = process.spawn(
      (function* (): Task<T> {
        yield* wait(process, before);
        return yield* act();
      })(),
    );
    const through = new Future<void>();
    result.onSettled(() => through.resolve());
    this.#last = through;
    return result;
  }
}

/** Wakes whoever waits for something to change. */
export class Change {
  #next = new Future<void>();

  next(): Future<void> {
    return this.#next;
  }

  notify(): void {
    const now = this.#next;
    this.#next = new Future<void>();
    now.resolve();
  }
}

function valueOf<T>(outcome: Outcome<T> | null): T {
  if (outcome === null) throw new Error('a task was resumed before what it waits for had come');
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
