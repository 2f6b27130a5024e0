// What a client may ask for, read strictly: a parameter that is not understood is refused by name, never ignored.
import type { Context } from 'hono';
import { MAX_POINTS, METRIC_NAMES, SERIES_AXES, isMetricName } from '@cria/metrics';
import type { SeriesAxis, SeriesQuery } from '@cria/metrics';
import { HttpProblem } from './http-problem.js';

const DEFAULT_POINTS = 1000;
const MAX_SMOOTH_STEPS = 1_000_000;
const MAX_TARGET = 100_000;

/** `?metric=loss&x=step&from=&to=&points=&smooth=`; an empty parameter counts as left out. */
export function seriesQuery(c: Context): SeriesQuery {
  const metric = c.req.query('metric') || 'loss';
  if (!isMetricName(metric)) throw bad(`metric is one of ${METRIC_NAMES.join(', ')}, not "${metric}"`);
  const x = c.req.query('x') || 'step';
  if (!isAxis(x)) throw bad(`x is one of ${SERIES_AXES.join(', ')}, not "${x}"`);
  const from = numberParameter(c, 'from');
  const to = numberParameter(c, 'to');
  if (from !== undefined && to !== undefined && from > to) throw bad('from is greater than to');
  const points = countParameter(c, 'points', MAX_POINTS) ?? DEFAULT_POINTS;
  const smoothSteps = countParameter(c, 'smooth', MAX_SMOOTH_STEPS);
  return {
    metric,
    x,
    points,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(smoothSteps === undefined ? {} : { smoothSteps }),
  };
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

/** The seq a stream goes on from: the header that browsers send, or `?lastEventId=`; null for a first connection. */
export function lastEventId(c: Context): number | null {
  const text = c.req.header('last-event-id') ?? c.req.query('lastEventId');
  const seq = Number(text);
  return text !== undefined && text !== '' && Number.isSafeInteger(seq) && seq >= 0 ? seq : null;
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
