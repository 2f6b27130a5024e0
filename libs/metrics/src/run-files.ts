// The two files of a run's directory that this library owns. They are the truth: everything in memory is made from them.
import { JsonLinesFile } from './json-lines-file.js';
import type { AppendOptions } from './append-file.js';
import { readJsonLines } from './json-lines-reader.js';
import type { BadLine } from './json-lines-reader.js';
import { parseRunEvent } from './run-event.js';
import type { RunEvent } from './run-event.js';
import { parseStepMetrics } from './step-metrics.js';
import type { StepMetrics } from './step-metrics.js';

export const METRICS_FILE = 'metrics.jsonl';
export const EVENTS_FILE = 'events.jsonl';

/** One committed step a line; a cut-off last line is repaired. Read it before, if its rows are wanted. */
export type MetricsFile = JsonLinesFile<StepMetrics>;
export type EventsFile = JsonLinesFile<RunEvent>;

/** @throws STORAGE_FAILED */
export function openMetricsFile(path: string, options: AppendOptions = {}): Promise<MetricsFile> {
  return JsonLinesFile.open<StepMetrics>(path, options);
}

/** @throws STORAGE_FAILED */
export function openEventsFile(path: string, options: AppendOptions = {}): Promise<EventsFile> {
  return JsonLinesFile.open<RunEvent>(path, options);
}

/** @returns the lines left out; @throws STORAGE_FAILED */
export function readMetricsFile(
  path: string,
  onRow: (row: StepMetrics) => void,
): Promise<readonly BadLine[]> {
  return readJsonLines({ path, parse: parseStepMetrics, onValue: onRow });
}

/** @returns the lines left out; @throws STORAGE_FAILED */
export function readEventsFile(
  path: string,
  onEvent: (event: RunEvent) => void,
): Promise<readonly BadLine[]> {
  return readJsonLines({ path, parse: parseRunEvent, onValue: onEvent });
}
