import { describe, expect, it } from 'vitest';
import { Rng } from '@cria/runtime';
import { MetricHistory } from './metric-history.js';
import { rowAt } from '../row-fixture.js';
import { seriesOf } from './series.js';
import type { SeriesBucket } from './series.js';
import { DebiasedAverage, TimeWeightedAverage } from './smoothing.js';
import type { StepMetrics } from '../step-metrics.js';

function historyOf(rows: Iterable<StepMetrics>): MetricHistory {
  const history = new MetricHistory();
  for (const row of rows) history.append(row);
  return history;
}

function* steps(from: number, end: number, fields: (step: number) => Partial<StepMetrics> = () => ({})) {
  for (let step = from; step < end; step++) yield rowAt(step, fields(step));
}

const wholeBuckets = (buckets: readonly SeriesBucket[]): SeriesBucket[] => buckets.slice(0, -1);

describe('series', () => {
  it('keeps a spike that is one step wide at every zoom', () => {
    const history = historyOf(steps(0, 5000, (step) => (step === 3333 ? { loss: 99 } : {})));
    for (const points of [2, 10, 100, 1000, 5000]) {
      const { buckets } = seriesOf(history, { metric: 'loss', x: 'step', points });
      expect(Math.max(...buckets.map((bucket) => bucket.max ?? 0))).toBe(99);
      expect(buckets.length).toBeLessThanOrEqual(points + 1);
    }
  });

  it('agrees with min, max, mean and last computed step by step, for every bucket width', () => {
    const rng = new Rng(7);
    const loss = Array.from({ length: 3000 }, () => rng.next());
    const history = historyOf(steps(0, 3000, (step) => ({ loss: loss[step] ?? null })));
    for (const points of [3000, 800, 100, 30, 3]) {
      const { buckets, bucketSteps } = seriesOf(history, { metric: 'loss', x: 'step', points });
      buckets.forEach((bucket, b) => {
        const part = loss.slice(b * bucketSteps, (b + 1) * bucketSteps);
        expect(bucket).toMatchObject({ min: Math.min(...part), max: Math.max(...part), last: part.at(-1) });
        expect(bucket.mean).toBeCloseTo(part.reduce((sum, value) => sum + value, 0) / part.length, 12);
        expect(bucket.count).toBe(part.length);
        expect(bucket.step).toBe(Math.min((b + 1) * bucketSteps, 3000) - 1);
      });
    }
  });

  it('never changes a bucket that is full when more steps arrive', () => {
    const history = historyOf(steps(0, 600));
    const query = { metric: 'loss', x: 'step', points: 1000 } as const;
    const before = seriesOf(history, { ...query, points: 300 });
    for (const row of steps(600, 900)) history.append(row);
    const after = seriesOf(history, { ...query, points: 450 });
    expect(after.bucketSteps).toBe(before.bucketSteps);
    expect(after.buckets.slice(0, before.buckets.length - 1)).toEqual(wholeBuckets(before.buckets));
  });

  it('gives finer buckets for a window, with one more on either side', () => {
    const history = historyOf(steps(0, 4096));
    const { buckets, bucketSteps } = seriesOf(history, {
      metric: 'loss',
      x: 'step',
      from: 1000,
      to: 1100,
      points: 100,
    });
    expect(bucketSteps).toBe(2);
    expect(buckets[0]?.step).toBe(999);
    expect(buckets.at(-1)?.step).toBeGreaterThanOrEqual(1100);
    expect(buckets.length).toBeLessThan(60);
  });

  it('places the same buckets by tokens, wall time and active time', () => {
    const history = historyOf(steps(0, 1024));
    const at = (x: 'tokens' | 'time' | 'active', from: number, to: number): SeriesBucket[] => [
      ...seriesOf(history, { metric: 'loss', x, from, to, points: 100 }).buckets,
    ];
    expect(at('tokens', 4096 * 101, 4096 * 151).map((bucket) => bucket.step)).toEqual(
      at('active', 200 * 101, 200 * 151).map((bucket) => bucket.step),
    );
    const byTime = at('time', 1_700_000_000_000 + 100 * 200, 1_700_000_000_000 + 150 * 200);
    expect(byTime[1]).toMatchObject({ step: 100, x: 1_700_000_000_000 + 100 * 200 });
  });

  it('counts values that are not finite and draws nothing for them', () => {
    const history = historyOf(steps(0, 8, (step) => (step === 5 ? { loss: NaN } : {})));
    const fine = seriesOf(history, { metric: 'loss', x: 'step', points: 100 }).buckets[5];
    expect(fine).toMatchObject({ min: null, last: null, count: 0, notFinite: 1 });
    const coarse = seriesOf(history, { metric: 'loss', x: 'step', points: 2 }).buckets[1];
    expect(coarse).toMatchObject({ count: 3, notFinite: 1, last: rowAt(7).loss });
  });

  it('leaves out buckets in which an optional metric was not measured', () => {
    const history = historyOf(steps(0, 100, (step) => (step % 50 === 49 ? { valLoss: 5 } : {})));
    const { buckets } = seriesOf(history, { metric: 'valLoss', x: 'step', points: 1000 });
    expect(buckets.map((bucket) => bucket.step)).toEqual([49, 99]);
  });

  it.each([
    { kind: 'ema', weight: 0.95 },
    { kind: 'twema', weight: 0.95 },
  ] as const)(
    'smooths ($kind) before it thins out, so that zooming does not change the curve',
    (smoothing) => {
      const rng = new Rng(3);
      const history = historyOf(steps(0, 2000, () => ({ loss: 5 + rng.next() })));
      const query = { metric: 'loss', x: 'step', smoothing } as const;
      const coarse = seriesOf(history, { ...query, points: 100 });
      const zoomed = seriesOf(history, { ...query, points: 200, from: 1000, to: 1100 });
      expect(zoomed.bucketSteps).toBe(1);
      const at = (step: number): unknown => zoomed.buckets.find((bucket) => bucket.step === step)?.smooth;
      const shared = coarse.buckets.filter(({ step }) => step >= 1000 && step <= 1100);
      expect(shared.map(({ step }) => step)).toEqual([1023, 1055, 1087]);
      for (const bucket of shared) expect(bucket.smooth).toBe(at(bucket.step));
      expect(zoomed.smoothing).toEqual(coarse.smoothing);
      expect(coarse.buckets.at(-1)?.smooth).toBeCloseTo(
        (coarse.smoothing?.sum ?? 0) / (coarse.smoothing?.debias ?? 1),
        12,
      );
    },
  );

  it('is empty for a run without steps', () => {
    const empty = seriesOf(new MetricHistory(), { metric: 'loss', x: 'time', points: 10 });
    expect(empty).toMatchObject({ buckets: [], firstX: null, lastX: null });
  });
});

describe('a resumed run', () => {
  it('shows one line, with the abandoned tail apart', () => {
    const history = historyOf([...steps(0, 120), ...steps(100, 150, () => ({ segment: 1, loss: 3 }))]);
    const series = seriesOf(history, { metric: 'loss', x: 'step', points: 1000 });
    expect(series.buckets.map((bucket) => bucket.step)).toEqual(Array.from({ length: 150 }, (_, i) => i));
    expect(series.buckets[110]?.last).toBe(3);
    expect(series.abandoned).toHaveLength(1);
    expect(series.abandoned[0]).toMatchObject({ segment: 0 });
    expect(series.abandoned[0]?.buckets.map((bucket) => bucket.step)).toEqual(
      Array.from({ length: 20 }, (_, i) => 100 + i),
    );
    expect(history.rowCount).toBe(150);
  });

  it('has the same buckets as a run that never had the tail', () => {
    const tail = steps(1000, 1900, () => ({ loss: 50 }));
    // Sums of these are exact, in whatever order they are added.
    const loss = (step: number) => ({ loss: step / 128 });
    const rest = (): Iterable<StepMetrics> => steps(1000, 2500, (step) => ({ ...loss(step), segment: 1 }));
    const resumed = historyOf([...steps(0, 1000, loss), ...tail, ...rest()]);
    const plain = historyOf([...steps(0, 1000, loss), ...rest()]);
    for (const points of [2500, 100, 10, 2]) {
      const query = { metric: 'loss', x: 'step', points } as const;
      expect(seriesOf(resumed, query).buckets).toEqual(seriesOf(plain, query).buckets);
    }
  });

  it('takes no row twice and none of a segment that was left', () => {
    const history = historyOf(steps(0, 10));
    expect(history.append(rowAt(9))).toBe(false);
    expect(history.append(rowAt(5, { segment: 2 }))).toBe(true);
    expect(history.append(rowAt(6, { segment: 1 }))).toBe(false);
    expect([...history.rows()].map((row) => row.step)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(history.lastSegment).toBe(2);
  });

  it('gives back each row as it came, over holes where lines were lost', () => {
    const rows = [
      rowAt(3, { valLoss: null, loss: null, verdict: 'skip' }),
      rowAt(7, { valLoss: 2, mfu: 0.4 }),
    ];
    const history = historyOf(rows);
    expect([...history.rows()]).toEqual(rows);
    expect(history.at(5)).toBeNull();
    expect(history.column('valLoss').lastFinite()).toBe(2);
    expect(history.column('mfu').lastFinite()).toBe(0.4);
    expect(new MetricHistory().column('mfu').lastFinite()).toBeNull();
    expect(history.last()).toEqual(rows[1]);
    expect(seriesOf(history, { metric: 'lr', x: 'tokens', points: 4 }).buckets).toHaveLength(2);
  });
});

describe('averages', () => {
  it('of a weight per step start at the first value and follow the formula of TensorBoard', () => {
    const average = new DebiasedAverage(0.9);
    let sum = 0;
    [4, 2, 8].forEach((value, index) => {
      sum = sum * 0.9 + 0.1 * value;
      average.push(value);
      expect(average.value()).toBeCloseTo(sum / (1 - 0.9 ** (index + 1)), 12);
    });
  });

  it('leave out values that are not finite', () => {
    const average = new DebiasedAverage(0.8);
    average.push(NaN);
    expect(average.value()).toBeNull();
    average.push(3);
    average.push(Infinity);
    expect(average.value()).toBeCloseTo(3, 12);
  });

  it('of a weight over the axis do not care how densely a stretch was logged', () => {
    const straight = (xs: readonly number[]): number | null => {
      const average = new TimeWeightedAverage(0.6, 1000);
      average.push(0, 0);
      for (const x of xs) average.push(1, x);
      return average.value();
    };
    const weight = Math.sqrt(0.6);
    // One far value all but forgets the first; the nearer it is, the more of the first remains.
    expect(straight([100])).toBeCloseTo(1 / (1 + weight ** 100), 12);
    expect(straight([1])).toBeCloseTo(1 / (1 + weight), 12);
    expect(straight([1])).toBeLessThan(straight([10]) ?? 0);
  });

  it('can be gone on with from their state, as a page does with live steps', () => {
    const xs = Array.from({ length: 50 }, (_, i) => i * 3 + (i % 4));
    const whole = new TimeWeightedAverage(0.9, 400);
    xs.forEach((x) => whole.push(Math.sin(x), x));
    const part = new TimeWeightedAverage(0.9, 400);
    xs.slice(0, 30).forEach((x) => part.push(Math.sin(x), x));
    let { sum, debias, lastX = 0 } = part.state();
    const { weight, perX = 0 } = part.state();
    for (const x of xs.slice(30)) {
      const fade = weight ** ((x - lastX) * perX);
      sum = sum * fade + Math.sin(x);
      debias = debias * fade + 1;
      lastX = x;
    }
    expect(sum / debias).toBeCloseTo(whole.value() ?? 0, 12);
  });
});
