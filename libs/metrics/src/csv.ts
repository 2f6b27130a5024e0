// Every row as CSV (RFC 4180), in the order of the schema; a number that was not finite is an empty field.
import { METRIC_NAMES } from './step-metrics.js';
import type { StepMetrics } from './step-metrics.js';
import type { MetricHistory } from './store/metric-history.js';

const COLUMNS = ['step', ...METRIC_NAMES, 'verdict', 'segment'] as const satisfies ReadonlyArray<
  keyof StepMetrics
>;
const ROWS_PER_CHUNK = 1000;

/** The line that counts, header first, in chunks of many lines (for a response that is streamed). */
export function* csvChunks(history: MetricHistory): Generator<string, void, void> {
  let lines = [COLUMNS.join(',')];
  for (const row of history.rows()) {
    lines.push(COLUMNS.map((column) => row[column] ?? '').join(','));
    if (lines.length < ROWS_PER_CHUNK) continue;
    yield `${lines.join('\r\n')}\r\n`;
    lines = [];
  }
  if (lines.length > 0) yield `${lines.join('\r\n')}\r\n`;
}
