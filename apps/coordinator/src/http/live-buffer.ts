// The last messages of a run, numbered, so that a browser that was away for a moment misses nothing.
import type { RunEvent, StepMetrics } from '@cria/metrics';
import type { LiveFeed, LiveMessage, RunStatus } from './run-view.js';

/** At 500 bytes a step this is a megabyte, and minutes of a fast run. */
const DEFAULT_CAPACITY = 2000;

type Unnumbered = LiveMessage extends infer M ? (M extends LiveMessage ? Omit<M, 'seq'> : never) : never;

export class LiveBuffer implements LiveFeed {
  readonly #capacity: number;
  readonly #listeners = new Set<(message: LiveMessage) => void>();
  #kept: LiveMessage[] = [];
  #oldestSeq = 1;
  #newestSeq = 0;

  constructor(capacity: number = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  step(data: StepMetrics): void {
    this.#publish({ type: 'step', data });
  }

  event(data: RunEvent): void {
    this.#publish({ type: 'event', data });
  }

  /** Only the newest status is kept: they are large (200 members: 60 KB), and an older one says nothing more. */
  status(data: RunStatus): void {
    this.#kept = this.#kept.filter((message) => message.type !== 'status');
    this.#publish({ type: 'status', data });
  }

  range(): { oldestSeq: number; newestSeq: number } {
    return { oldestSeq: this.#oldestSeq, newestSeq: this.#newestSeq };
  }

  subscribe(afterSeq: number, listener: (message: LiveMessage) => void): () => void {
    for (const message of this.#kept) if (message.seq > afterSeq) listener(message);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #publish(unnumbered: Unnumbered): void {
    const message = { seq: ++this.#newestSeq, ...unnumbered } as LiveMessage;
    this.#kept.push(message);
    if (this.#kept.length > this.#capacity) {
      const dropped = this.#kept.shift();
      this.#oldestSeq = (dropped?.seq ?? this.#newestSeq) + 1;
    }
    for (const listener of [...this.#listeners]) listener(message);
  }
}
