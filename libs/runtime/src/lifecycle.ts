// Start in order, stop in reverse, keep every error.
import { CriaError } from './errors.js';

/** A long-lived part. `start` and `stop` may wait; both have a deadline or a signal. */
export interface Service {
  start(options: { signal: AbortSignal }): Promise<void>;
  stop(options: { graceMs: number }): Promise<void>;
}

/** Releases in reverse order of acquisition; one failure does not keep the others from being released. */
export class ResourceStack {
  #releases: Array<{ what: string; release: () => void | Promise<void> }> = [];
  #closing: Promise<void> | null = null;

  /** Registers how to release something that was just acquired. */
  defer(what: string, release: () => void | Promise<void>): void {
    this.#releases.push({ what, release });
  }

  /** Releases everything; a second call returns the first one's promise. */
  close(): Promise<void> {
    this.#closing ??= this.#unwind();
    return this.#closing;
  }

  async #unwind(): Promise<void> {
    const failures: CriaError[] = [];
    for (const { what, release } of this.#releases.reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(new CriaError('INTERNAL', `stopping ${what} failed`, { cause: error }));
      }
    }
    this.#releases = [];
    if (failures.length > 0) throw new AggregateError(failures, failures.map((f) => f.message).join('; '));
  }
}
