// One alert, and the rules that can raise one, with what they say about themselves.

export const ALERT_RULES = {
  'not-finite': 'The loss or the gradient norm of a step was NaN or infinite.',
  'loss-spike': 'The loss stayed far above its average for some steps.',
  divergence: 'The smoothed loss has been far above its best for long.',
  'grad-norm-spike': 'The gradient norm was far above its average.',
  stalled: 'No step has been committed for much longer than a step takes.',
  'worker-silent': 'Nothing was heard of a worker for long.',
  straggler: 'A worker takes far longer for a slot than the others.',
  'throughput-drop': 'Tokens per second fell well below what they were.',
  'data-loading': 'Much of each step goes by with waiting for its tokens to be read.',
  'paused-queue': 'A queue has been paused for long while jobs wait in it.',
  'checkpoint-overdue': 'The newest checkpoint is older than two intervals.',
  'disk-low': "The disk of the run's directory is nearly full.",
} as const;

export type AlertRule = keyof typeof ALERT_RULES;
export const ALERT_RULE_NAMES = Object.keys(ALERT_RULES) as readonly AlertRule[];

export type Severity = 'info' | 'warn' | 'error';

export interface Alert {
  readonly id: string;
  readonly rule: AlertRule;
  readonly severity: Severity;
  readonly state: 'firing' | 'resolved';
  readonly metric: string | null;
  readonly worker: string | null;
  /** Where it began. */
  readonly step: number;
  /** One sentence. */
  readonly text: string;
  readonly startedWallMs: number;
  readonly updatedWallMs: number;
  readonly endedWallMs: number | null;
  readonly acknowledgedWallMs: number | null;
}
