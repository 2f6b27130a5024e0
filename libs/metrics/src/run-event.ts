// What happened to a run, one sentence each: the markers on the loss curve and the list beside it.

export const RUN_EVENT_KINDS = [
  'run-started',
  'run-resumed',
  'run-paused',
  'run-unpaused',
  'run-finished',
  'run-stopped',
  'run-failed',
  'leader-elected',
  'worker-joined',
  'worker-left',
  'worker-lost',
  'worker-evicted',
  'worker-shadow',
  'exchange-repeated',
  'step-skipped',
  'step-replayed',
  'checkpoint-started',
  'checkpoint-written',
  'checkpoint-failed',
  'scaled',
  'waiting',
  'damage-found',
  'alert',
  'alert-over',
] as const;

export type RunEventKind = (typeof RUN_EVENT_KINDS)[number];

export interface RunEvent {
  /** Rises by one with every event of the run. */
  readonly seq: number;
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
  readonly kind: RunEventKind;
  /** The step that was next to be committed. */
  readonly step: number;
  readonly worker?: string;
  /** One sentence for people. */
  readonly text: string;
}

/** The line's event, or one sentence that says what is wrong with it. */
export function parseRunEvent(value: unknown): RunEvent | string {
  if (typeof value !== 'object' || value === null) return 'not a JSON object';
  const { seq, wallMs, kind, step, worker, text } = value as Record<string, unknown>;
  if (!Number.isSafeInteger(seq)) return 'seq is not a count';
  if (typeof wallMs !== 'number') return 'wallMs is not a number';
  if (typeof step !== 'number') return 'step is not a number';
  if (typeof text !== 'string') return 'text is not a string';
  if (worker !== undefined && typeof worker !== 'string') return 'worker is not a string';
  if (!RUN_EVENT_KINDS.includes(kind as RunEventKind)) return `kind ${JSON.stringify(kind)} is not known`;
  return value as RunEvent;
}
