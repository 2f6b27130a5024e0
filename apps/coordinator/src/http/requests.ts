// What a client may ask for, read strictly: a parameter that is not understood is refused by name, never ignored.
import type { Context } from 'hono';
import { MAX_POINTS, METRIC_NAMES, SERIES_AXES, isMetricName } from '@cria/metrics';
import type { MetricHistory, SeriesAxis, SeriesQuery, Smoothing } from '@cria/metrics';
import { HttpProblem } from './http-problem.js';
import { LOG_LEVELS } from './log-page.js';
import type { LogLevel, LogQuery } from './log-page.js';
import type { Notes } from './run-view.js';

const DEFAULT_POINTS = 1000;
const MAX_SMOOTH_STEPS = 1_000_000;
const MAX_METRICS = 32;
const MAX_TARGET = 100_000;
const MAX_TAGS = 32;
const MAX_TAG_LENGTH = 64;
const MAX_NOTE_LENGTH = 16 * 1024;
const [DEFAULT_EVENTS, MAX_EVENTS] = [1000, 10_000] as const;
const [DEFAULT_ENTRIES, MAX_ENTRIES] = [100, 1000] as const;
const [DEFAULT_SAMPLES, MAX_SAMPLES] = [200, 5000] as const;
const [DEFAULT_LINES, MAX_LINES] = [200, 5000] as const;

/**
 * `?metric=loss&metric=valLoss&x=step&from=&to=&points=&smoothing=ema:0.9`, one query a metric; an empty parameter
 * counts as left out.
 */
export function seriesQueries(c: Context, history: MetricHistory): SeriesQuery[] {
  const metrics = (c.req.queries('metric') ?? []).filter((name) => name !== '');
  if (metrics.length > MAX_METRICS) throw bad(`at most ${MAX_METRICS} metrics at once`);
  const x = c.req.query('x') || 'step';
  if (!isAxis(x)) throw bad(`x is one of ${SERIES_AXES.join(', ')}, not "${x}"`);
  const from = numberParameter(c, 'from');
  const to = numberParameter(c, 'to');
  if (from !== undefined && to !== undefined && from > to) throw bad('from is greater than to');
  const points = countParameter(c, 'points', MAX_POINTS) ?? DEFAULT_POINTS;
  const smoothing = smoothingOf(c);
  const common = {
    ...{ x, points },
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(smoothing === undefined ? {} : { smoothing }),
  };
  const wanted = metrics.length === 0 ? ['loss'] : metrics;
  return wanted.map((metric) => ({ ...common, metric: knownMetric(metric, history) }));
}

function knownMetric(name: string, history: MetricHistory): string {
  if (history.has(name)) return name;
  if (isMetricName(name)) throw new HttpProblem(404, 'NOT_FOUND', `this run has no metric "${name}"`);
  const names = history.schema === 'cria' ? METRIC_NAMES : history.names;
  throw bad(`metric is one of ${names.slice(0, 100).join(', ')}, not "${name}"`);
}

/** `smoothing=off|ema:0.9|twema:0.9`, or `smooth=10`: the average over about so many steps. */
function smoothingOf(c: Context): Smoothing | undefined {
  const steps = countParameter(c, 'smooth', MAX_SMOOTH_STEPS);
  const text = c.req.query('smoothing');
  if (text === undefined || text === '') {
    return steps === undefined || steps === 1 ? undefined : { kind: 'ema', weight: 1 - 1 / steps };
  }
  if (text === 'off') return undefined;
  const [, kind, digits] = /^(ema|twema):(\d*\.?\d+)$/.exec(text) ?? [];
  const weight = Number(digits);
  if (kind === undefined || !(weight >= 0 && weight < 1)) {
    throw bad(`smoothing is off, ema:W or twema:W with 0 <= W < 1, not "${text}"`);
  }
  return { kind: kind as Smoothing['kind'], weight };
}

/** `{"target": 3}` */
export async function targetOf(c: Context): Promise<number> {
  const { target } = await jsonBody(c);
  const valid = Number.isInteger(target) && (target as number) >= 0 && (target as number) <= MAX_TARGET;
  if (!valid) throw bad(`target is a number of workers from 0 to ${MAX_TARGET}: {"target": 3}`);
  return target as number;
}

/** `{"worker": "w-3f2a"}` */
export async function workerOf(c: Context): Promise<string> {
  const { worker } = await jsonBody(c);
  if (typeof worker !== 'string' || worker === '')
    throw bad('worker is the id of a member: {"worker": "..."}');
  return worker;
}

/** `{"tags": ["baseline"], "note": "..."}`, either left out. */
export async function notesOf(c: Context): Promise<Partial<Notes>> {
  const { tags, note, ...others } = await jsonBody(c);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw bad(`tags and note can be changed, not "${unknown}"`);
  const isTag = (tag: unknown): tag is string =>
    typeof tag === 'string' && tag.trim() !== '' && tag.length <= MAX_TAG_LENGTH;
  const tagsAreValid =
    tags === undefined || (Array.isArray(tags) && tags.length <= MAX_TAGS && tags.every(isTag));
  if (!tagsAreValid)
    throw bad(`tags is a list of at most ${MAX_TAGS} texts of 1 to ${MAX_TAG_LENGTH} characters`);
  if (note !== undefined && (typeof note !== 'string' || note.length > MAX_NOTE_LENGTH)) {
    throw bad(`note is a text of at most ${MAX_NOTE_LENGTH} characters`);
  }
  return {
    ...(tags === undefined ? {} : { tags: [...new Set((tags as string[]).map((tag) => tag.trim()))] }),
    ...(note === undefined ? {} : { note: note as string }),
  };
}

/** `?from=&to=&kind=&worker=&after=&limit=` */
export function markerQuery(c: Context): {
  from: number;
  to: number;
  kinds: readonly string[];
  worker: string | null;
  after: number;
  limit: number;
} {
  return {
    ...stepRange(c),
    kinds: (c.req.queries('kind') ?? []).filter((kind) => kind !== ''),
    worker: c.req.query('worker') || null,
    after: numberParameter(c, 'after') ?? 0,
    limit: countParameter(c, 'limit', MAX_EVENTS) ?? DEFAULT_EVENTS,
  };
}

/** `?from=&count=`; without from: the newest. */
export function ledgerQuery(c: Context): { from: number | null; count: number } {
  const from = numberParameter(c, 'from') ?? null;
  if (from !== null && (!Number.isInteger(from) || from < 0)) throw bad('from is a whole number from 0');
  return { from, count: countParameter(c, 'count', MAX_ENTRIES) ?? DEFAULT_ENTRIES };
}

/** `?prompt=&from=&to=&limit=` */
export function sampleQuery(c: Context): { prompt: number | null; from: number; to: number; limit: number } {
  return {
    ...stepRange(c),
    prompt: numberParameter(c, 'prompt') ?? null,
    limit: countParameter(c, 'limit', MAX_SAMPLES) ?? DEFAULT_SAMPLES,
  };
}

/** `?worker=&level=&after=&limit=` */
export function logQuery(c: Context): LogQuery {
  const level = c.req.query('level') || 'info';
  if (!(LOG_LEVELS as readonly string[]).includes(level)) {
    throw bad(`level is one of ${LOG_LEVELS.join(', ')}, not "${level}"`);
  }
  const after = numberParameter(c, 'after') ?? null;
  if (after !== null && (!Number.isSafeInteger(after) || after < 0))
    throw bad('after is a cursor of this route');
  return {
    worker: c.req.query('worker') || null,
    level: level as LogLevel,
    after,
    limit: countParameter(c, 'limit', MAX_LINES) ?? DEFAULT_LINES,
  };
}

/** The cursor a stream goes on from: the header that browsers send, or `?lastEventId=`; null for a first connection. */
export function lastEventId(c: Context): string | null {
  return c.req.header('last-event-id') || c.req.query('lastEventId') || null;
}

function stepRange(c: Context): { from: number; to: number } {
  const from = numberParameter(c, 'from') ?? 0;
  const to = numberParameter(c, 'to') ?? Infinity;
  if (from > to) throw bad('from is greater than to');
  return { from, to };
}

async function jsonBody(c: Context): Promise<Record<string, unknown>> {
  const text = await c.req.text();
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return body as Record<string, unknown>;
  } catch {
    // Falls through to the refusal.
  }
  throw bad('the body is a JSON object');
}

function isAxis(x: string): x is SeriesAxis {
  return (SERIES_AXES as readonly string[]).includes(x);
}

function numberParameter(c: Context, name: string): number | undefined {
  const text = c.req.query(name);
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isFinite(value)) throw bad(`${name} is a number, not "${text}"`);
  return value;
}

function countParameter(c: Context, name: string, most: number): number | undefined {
  const value = numberParameter(c, name);
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw bad(`${name} is a whole number from 1 to ${most}`);
  }
  return value;
}

function bad(message: string): HttpProblem {
  return new HttpProblem(400, 'BAD_REQUEST', message);
}
