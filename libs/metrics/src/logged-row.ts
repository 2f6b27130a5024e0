// A line of metrics.jsonl that another program wrote: any names, only `step` is a must. Names come from strangers, so
// they are bounded here, and whatever shows them escapes them.
import { MAX_STEP, VERDICTS } from './step-metrics.js';
import type { Verdict } from './step-metrics.js';

/** A step's values under any names; null = not finite. */
export interface MetricRow {
  readonly step: number;
  readonly segment: number;
  readonly wallMs: number;
  readonly verdict?: Verdict;
  readonly [name: string]: number | string | null | undefined;
}

/** `step`, `segment` and `verdict` are a row's place, not metrics; the rest is a name, within bounds. */
export function isLoggedMetricName(name: string): boolean {
  if (name === 'step' || name === 'segment' || name === 'verdict' || name === '__proto__') return false;
  return name.length >= 1 && name.length <= 128 && !/[\u0000-\u001f\u007f]/.test(name);
}

/** The line's row, or one sentence that says what is wrong with it. Values that are no numbers are left out. */
export function parseLoggedRow(value: unknown): MetricRow | string {
  if (typeof value !== 'object' || value === null) return 'not a JSON object';
  const fields = value as Record<string, unknown>;
  const { step, segment = 0, wallMs = 0, verdict } = fields;
  if (!isCount(step)) return 'step is not a count';
  if (!isCount(segment)) return 'segment is not a count';
  if (typeof wallMs !== 'number') return 'wallMs is not a number';
  const row: Record<string, number | string | null> = { step, segment, wallMs };
  if (VERDICTS.includes(verdict as Verdict)) row.verdict = verdict as Verdict;
  for (const [name, field] of Object.entries(fields)) {
    if (isLoggedMetricName(name) && (typeof field === 'number' || field === null)) row[name] = field;
  }
  return row as MetricRow;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_STEP;
}
