import { describe, expect, it } from 'vitest';
import type { Bucket, Series, StepRow } from '../api/types';
import { LiveSeries } from './live-series';
import { remainingMs } from './pace';

/** A row as Cria writes it. */
type LossRow = StepRow & { readonly loss: number | null };

function rowAt(step: number, fields: Partial<LossRow> = {}): LossRow {
  const loss = 10 - step / 100 + ((step * 7919) % 13) / 10;
  return {
    step,
    tokens: (step + 1) * 4096,
    loss,
    gradNorm: 1,
    lr: 1e-3,
    tokensPerSecond: 1e4,
    stepMs: 200,
    lostMs: 0,
    attempts: 1,
    workers: 2,
    bitsPerParameter: 10,
    mfu: null,
    verdict: 'use',
    wallMs: 1_700_000_000_000 + step * 200,
    activeMs: (step + 1) * 200,
    segment: 0,
    ...fields,
  };
}

/** What the coordinator answers, computed the slow way from its rule: the smallest power of two that fits. */
function answer(rows: readonly LossRow[], points: number, weight?: number): Series {
  let bucketSteps = 1;
  while (rows.length / bucketSteps > points) bucketSteps *= 2;
  const average = { weight: weight ?? 0, sum: 0, debias: 0 };
  const groups = new Map<number, Bucket>();
  for (const row of rows) {
    const index = Math.floor(row.step / bucketSteps);
    const inside = rows.filter(({ step }) => step <= row.step && Math.floor(step / bucketSteps) === index);
    const values = inside.map(({ loss }) => loss).filter((loss) => loss !== null);
    if (row.loss !== null) {
      average.sum = average.sum * average.weight + (1 - average.weight) * row.loss;
      average.debias = average.debias * average.weight + (1 - average.weight);
    }
    groups.set(index, {
      step: row.step,
      x: row.step,
      min: values.length === 0 ? null : Math.min(...values),
      max: values.length === 0 ? null : Math.max(...values),
      last: values.at(-1) ?? null,
      notFinite: inside.length - values.length,
      ...(weight === undefined ? {} : { smooth: average.sum / average.debias }),
    });
  }
  return {
    metric: 'loss',
    x: 'step',
    bucketSteps,
    endStep: rows.length,
    buckets: [...groups.values()],
    abandoned: [],
    ...(weight === undefined ? {} : { smoothing: { ...average } }),
  };
}

const rows = Array.from({ length: 150 }, (_, step) => rowAt(step, step % 40 === 39 ? { loss: null } : {}));

describe('a live curve', () => {
  it.each([0, 1, 5, 17, 63, 64, 100])('equals a fresh answer after %i steps from the start', (from) => {
    const series = new LiveSeries(answer(rows.slice(0, from), 20), { window: null, points: 20 });
    for (let end = from; end < rows.length; end++) {
      series.append(rows[end] as StepRow);
      const fresh = answer(rows.slice(0, end + 1), 20);
      expect(series.bucketSteps).toBe(fresh.bucketSteps);
      expect(series.buckets).toEqual(fresh.buckets);
    }
  });

  it('goes on with the average where the coordinator stopped', () => {
    const series = new LiveSeries(answer(rows.slice(0, 30), 20, 0.9), { window: null, points: 20 });
    rows.slice(30).forEach((row) => series.append(row));
    const fresh = answer(rows, 20, 0.9).buckets;
    series.buckets.forEach((bucket, i) => expect(bucket.smooth).toBeCloseTo(fresh[i]?.smooth ?? NaN, 10));
  });

  it('goes on with the time-weighted average too: what is far apart weighs less', () => {
    const weight = 0.5;
    const state = { kind: 'twema', weight, sum: 4, debias: 2, perX: 0.01, lastX: 29 } as const;
    const series = new LiveSeries(
      { ...answer(rows.slice(0, 30), 100), smoothing: state },
      { window: null, points: 100 },
    );
    series.append(rowAt(129, { loss: 3 }));
    // A hundred steps at 0.01 each are one weight: (4 * 0.5 + 3) / (2 * 0.5 + 1).
    expect(series.buckets.at(-1)?.smooth).toBeCloseTo(2.5, 12);
  });

  it('knows its ends while it is zoomed, and takes an unknown MFU for no value', () => {
    const zoomed = { ...answer(rows.slice(0, 10), 100), metric: 'mfu', firstX: 0, lastX: 900 };
    const series = new LiveSeries(zoomed, { window: [2, 8], points: 100 });
    const before = series.buckets.length;
    series.append(rowAt(901, { mfu: null }));
    expect(series.ends).toEqual([0, 901]);
    expect(series.buckets).toHaveLength(before);
    expect(series.endStep).toBe(902);
  });

  it('takes no step twice', () => {
    const series = new LiveSeries(answer(rows.slice(0, 40), 100, 0.9), { window: null, points: 100 });
    const before = [...series.buckets];
    series.append(rows[39] as StepRow);
    series.append(rows[38] as StepRow);
    expect(series.buckets).toEqual(before);
    series.append(rows[40] as StepRow);
    const once = [...series.buckets];
    series.append(rows[40] as StepRow);
    expect(series.buckets).toEqual(once);
  });

  it('does not move while zoomed into the past', () => {
    const series = new LiveSeries(answer(rows.slice(0, 10), 100), { window: [2, 8], points: 100 });
    const before = series.buckets.length;
    series.append(rows[10] as StepRow);
    expect(series.buckets).toHaveLength(before);
    expect(series.endStep).toBe(11);
  });

  it('has no point where an optional metric was not measured', () => {
    const empty = { ...answer([], 10), metric: 'valLoss' as const };
    const series = new LiveSeries(empty, { window: null, points: 10 });
    series.append(rowAt(0));
    series.append(rowAt(1, { valLoss: 5 }));
    expect(series.buckets.map(({ step, last }) => [step, last])).toEqual([[1, 5]]);
  });
});

describe('the time left', () => {
  it('follows the last 64 steps', () => {
    const slowThenFast = rows.map((row) => ({
      ...row,
      activeMs: row.step < 80 ? row.step * 1e4 : 8e5 + row.step,
    }));
    expect(remainingMs(slowThenFast, 250)).toBeCloseTo(100, 6);
    expect(remainingMs(rows.slice(0, 1), 250)).toBeNull();
    expect(remainingMs(rows, 150)).toBe(0);
  });
});
