// What may be logged: numbers under names, nested as one likes. {train: {loss: 1}} and {'train/loss': 1} are the same.
import { CriaError } from '@cria/runtime';

export interface MetricValues {
  /** A number (NaN and infinities are kept as "not finite"), or more names under this one; undefined is left out. */
  readonly [name: string]: number | bigint | undefined | MetricValues;
}

/** Fields of a row that are not metrics. */
const RESERVED: ReadonlySet<string> = new Set(['step', 'segment', 'wallMs', 'verdict']);
const MAX_NAME_LENGTH = 128;
const MAX_DEPTH = 8;

/**
 * Flat names with their values; null where a number was not finite, as a row of metrics.jsonl has it.
 *
 * @throws USAGE naming what cannot be logged
 */
export function flattenValues(values: MetricValues): Map<string, number | null> {
  const flat = new Map<string, number | null>();
  addTo(flat, '', values, 0);
  return flat;
}

function addTo(flat: Map<string, number | null>, prefix: string, values: MetricValues, depth: number): void {
  if (depth > MAX_DEPTH) throw new CriaError('USAGE', `"${prefix}" is nested more than ${MAX_DEPTH} deep`);
  for (const [key, value] of Object.entries(values)) {
    const name = prefix === '' ? key : `${prefix}/${key}`;
    if (value === undefined) continue;
    if (isGroup(value)) addTo(flat, name, value, depth + 1);
    else flat.set(checkedName(name), numberOf(name, value));
  }
}

function isGroup(value: unknown): value is MetricValues {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function numberOf(name: string, value: unknown): number | null {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  const what = value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`;
  throw new CriaError('USAGE', `"${name}" is ${what}; what is logged are numbers`);
}

function checkedName(name: string): string {
  if (RESERVED.has(name))
    throw new CriaError('USAGE', `"${name}" is a field of every row: take another name`);
  if (name.length === 0 || name.length > MAX_NAME_LENGTH || /\p{C}/u.test(name)) {
    const allowed = `1 to ${MAX_NAME_LENGTH} characters without control characters`;
    throw new CriaError(
      'USAGE',
      `a metric's name has ${allowed}, unlike ${JSON.stringify(name.slice(0, 200))}`,
    );
  }
  return name;
}
