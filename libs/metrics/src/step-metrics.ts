// The schema of one committed step's metrics: what a line of metrics.jsonl holds. `METRICS` is the only list of the
// numeric fields; the reader, the series, CSV and the HELP texts of Prometheus all follow it.

export interface StepMetrics {
  /** Counts from 0, as in the ledger. */
  readonly step: number;
  /** Tokens of the budget used up to and including this step. */
  readonly tokens: number;
  /** Nats per token; null when it was not finite. */
  readonly loss: number | null;
  /** Nats per token after this step; absent when nothing was evaluated, null when it was not finite. */
  readonly valLoss?: number | null;
  /** Global L2 norm before clipping; null when it was not finite. */
  readonly gradNorm: number | null;
  readonly lr: number;
  readonly tokensPerSecond: number;
  readonly stepMs: number;
  readonly computeMs: number;
  /** Part of the step in which a grant waited for its tokens; absent in older files. */
  readonly dataMs?: number;
  readonly exchangeMs: number;
  readonly waitMs: number;
  readonly commitMs: number;
  /** Time spent on attempts that came to nothing. */
  readonly lostMs: number;
  readonly attempts: number;
  readonly workers: number;
  readonly bitsPerParameter: number;
  /** Share of the device's peak, 0 to 1; null where the peak is not known. */
  readonly mfu: number | null;
  readonly verdict: Verdict;
  /** When the step was committed, milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** Time the run has been training, pauses and time between resumes left out. */
  readonly activeMs: number;
  /** Raised at every resume, so that an abandoned tail can be told from the line that counts. */
  readonly segment: number;
}

export const VERDICTS = ['use', 'skip', 'stop'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** A greater step is damage: arrays over steps would fill the memory. */
export const MAX_STEP = 2 ** 26;

type NumericField = Exclude<keyof StepMetrics, 'step' | 'segment' | 'verdict'>;

interface MetricDescription {
  readonly unit: string;
  readonly help: string;
  /** What null in a line means: a number that was not finite, or one that nobody knows. */
  readonly nullMeans?: 'not-finite' | 'unknown';
  /** The field may be absent. */
  readonly optional?: true;
}

/** Every numeric field with its unit and one sentence for people. */
export const METRICS = {
  loss: { unit: 'nats', help: 'Training loss of the last committed step.', nullMeans: 'not-finite' },
  valLoss: {
    unit: 'nats',
    help: 'Loss on the validation split when it was last evaluated.',
    nullMeans: 'not-finite',
    optional: true,
  },
  gradNorm: { unit: '', help: 'Global L2 norm of the gradient before clipping.', nullMeans: 'not-finite' },
  lr: { unit: '', help: 'Learning rate of the last committed step.' },
  tokensPerSecond: { unit: 'tokens/s', help: 'Tokens trained on per second, over all workers.' },
  stepMs: { unit: 'ms', help: 'Time from one commit to the next.' },
  computeMs: { unit: 'ms', help: 'Time of the step spent in forward and backward passes.' },
  dataMs: {
    unit: 'ms',
    help: 'Time of the step in which workers waited for their tokens to be read.',
    optional: true,
  },
  exchangeMs: { unit: 'ms', help: 'Time of the step spent exchanging gradients.' },
  waitMs: { unit: 'ms', help: 'Time of the step that workers spent waiting for others.' },
  commitMs: { unit: 'ms', help: 'Time from the last Prepare received to the last Commit written.' },
  lostMs: { unit: 'ms', help: 'Time spent on attempts that came to nothing.' },
  attempts: { unit: '', help: 'Exchanges that the step needed; 1 when nothing went wrong.' },
  workers: { unit: '', help: 'Workers whose slots are in the step.' },
  bitsPerParameter: { unit: 'bits', help: 'Gradient bits on the wire per parameter.' },
  mfu: { unit: '', help: "Share of the devices' peak, 0 to 1.", nullMeans: 'unknown' },
  tokens: { unit: 'tokens', help: 'Tokens of the budget used so far.' },
  wallMs: { unit: 'ms', help: 'When the step was committed, since the Unix epoch.' },
  activeMs: { unit: 'ms', help: 'Time the run has been training, pauses left out.' },
} as const satisfies Record<NumericField, MetricDescription>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

export function describeMetric(name: MetricName): MetricDescription {
  return METRICS[name];
}

export function isMetricName(name: string): name is MetricName {
  return Object.hasOwn(METRICS, name);
}

/** The line's metrics, or one sentence that says what is wrong with it. */
export function parseStepMetrics(value: unknown): StepMetrics | string {
  if (typeof value !== 'object' || value === null) return 'not a JSON object';
  const fields = value as Record<string, unknown>;
  for (const name of ['step', 'segment'] as const) {
    if (!Number.isSafeInteger(fields[name]) || (fields[name] as number) < 0) return `${name} is not a count`;
    if ((fields[name] as number) > MAX_STEP) return `${name} is greater than ${MAX_STEP}`;
  }
  if (!VERDICTS.includes(fields.verdict as Verdict)) return 'verdict is not use, skip or stop';
  for (const name of METRIC_NAMES) {
    const problem = fieldProblem(name, fields[name]);
    if (problem !== null) return problem;
  }
  return value as StepMetrics;
}

function fieldProblem(name: MetricName, value: unknown): string | null {
  const { nullMeans, optional } = describeMetric(name);
  if (typeof value === 'number') return null;
  if (value === null && nullMeans !== undefined) return null;
  if (value === undefined && optional) return null;
  return value === undefined ? `${name} is missing` : `${name} is not a number`;
}
