// Hands a run's messages on as they come, each with a cursor into the run's files: `segment.step.event`. Whoever was away goes on
// from the files (missed-messages.ts), so nothing is kept here, and it does not matter which process he comes back to.
import type { Alert, RunEvent, StepMetrics } from '@cria/metrics';
import type { LiveFeed, LiveMessage, RunStatus, Sample } from './run-view.js';

export interface Cursor {
  /** Of the newest row seen; -1 before the first. */
  readonly segment: number;
  readonly step: number;
  /** seq of the newest event seen. */
  readonly event: number;
}

export const NOTHING_SEEN: Cursor = { segment: -1, step: -1, event: 0 };

export function formatCursor({ segment, step, event }: Cursor): string {
  return segment < 0 ? `-.-.${event}` : `${segment}.${step}.${event}`;
}

/** Null for what no coordinator gave out. */
export function parseCursor(text: string): Cursor | null {
  const [, segment, step, event] = /^(?:(\d{1,15})\.(\d{1,15})|-\.-)\.(\d{1,15})$/.exec(text) ?? [];
  if (event === undefined) return null;
  if (segment === undefined) return { ...NOTHING_SEEN, event: Number(event) };
  return { segment: Number(segment), step: Number(step), event: Number(event) };
}

type Untold = LiveMessage extends infer M ? (M extends LiveMessage ? Omit<M, 'cursor'> : never) : never;

export class LiveHub implements LiveFeed {
  readonly #listeners = new Set<(message: LiveMessage) => void>();
  #cursor: Cursor = NOTHING_SEEN;

  /** What the files hold already when this process opens them. */
  begin(last: StepMetrics | null, event: number): void {
    this.#cursor =
      last === null ? { ...NOTHING_SEEN, event } : { segment: last.segment, step: last.step, event };
  }

  cursor(): string {
    return formatCursor(this.#cursor);
  }

  subscribe(listener: (message: LiveMessage) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  step(data: StepMetrics): void {
    this.#cursor = { ...this.#cursor, segment: data.segment, step: data.step };
    this.#tell({ type: 'step', data });
  }

  event(data: RunEvent): void {
    this.#cursor = { ...this.#cursor, event: data.seq };
    this.#tell({ type: 'event', data });
  }

  status(data: RunStatus): void {
    this.#tell({ type: 'status', data });
  }

  alert(data: Alert): void {
    this.#tell({ type: 'alert', data });
  }

  sample(data: Sample): void {
    this.#tell({ type: 'sample', data });
  }

  #tell(untold: Untold): void {
    const message = { cursor: this.cursor(), ...untold } as LiveMessage;
    for (const listener of [...this.#listeners]) listener(message);
  }
}
