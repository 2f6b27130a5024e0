import { describe, expect, it } from 'vitest';
import type { Bucket, RunEvent, Series } from '../api/types';
import { LiveSeries } from '../series/live-series';
import { alertEvents, eventX, placeMarkers, toneOf } from './markers';
import { compareData, curveValue } from './compare-data';
import { yRange } from './chart-options';
import { planOf } from './chart-plan';
import { COLUMNS, panelData, usualRange } from './panel-data';
import { wholeNumbers, windowForKey, zoomedOut } from './zoom';

const event = (seq: number, step: number, kind: string): RunEvent => ({
  seq,
  step,
  kind,
  wallMs: 1000 * step,
  text: kind,
});

const bucket = (x: number, last: number | null, fields: Partial<Bucket> = {}): Bucket => ({
  step: x,
  x,
  min: last,
  max: last,
  last,
  notFinite: last === null ? 1 : 0,
  ...fields,
});

describe('markers', () => {
  const events = [
    event(1, 10, 'worker-lost'),
    event(2, 12, 'worker-joined'),
    event(3, 90, 'checkpoint-written'),
  ];

  it('gather what is too close to tell apart, and look like the worst of it', () => {
    const markers = placeMarkers(
      events,
      ({ step }) => step,
      (x) => x,
      5,
    );
    expect(markers.map(({ x, tone, events: told }) => [x, tone, told.length])).toEqual([
      [10, 'bad', 2],
      [90, 'mark', 1],
    ]);
    expect(
      placeMarkers(
        events,
        ({ step }) => step,
        (x) => x * 10,
        5,
      ),
    ).toHaveLength(3);
  });

  it('leave what only goes on to the list, and know a kind they have never heard of', () => {
    const quiet = [event(1, 1, 'worker-shadow'), event(2, 2, 'checkpoint-started')];
    expect(
      placeMarkers(
        quiet,
        ({ step }) => step,
        (x) => x,
        1,
      ),
    ).toEqual([]);
    expect(toneOf('worker-teleported')).toBe('note');
  });

  it('stand where the axis has their step', () => {
    const at = (axis: 'step' | 'tokens' | 'time' | 'active'): number =>
      eventX(event(1, 7, 'scaled'), { axis, tokensPerStep: 100, activeAt: (step) => step * 3 });
    expect([at('step'), at('tokens'), at('time'), at('active')]).toEqual([7, 700, 7000, 21]);
  });
});

describe('what a panel draws', () => {
  const series = (buckets: Bucket[], fields: Partial<Series> = {}): LiveSeries =>
    new LiveSeries(
      { metric: 'loss', x: 'step', bucketSteps: 1, endStep: 99, buckets, abandoned: [], ...fields },
      { window: null, points: 100 },
    );
  const column = (data: ReturnType<typeof panelData>, name: (typeof COLUMNS)[number]) =>
    Array.from(data.aligned[COLUMNS.indexOf(name) + 1] ?? []);

  it('has a gap and a mark where a value was not finite', () => {
    const data = panelData({ main: series([bucket(0, 5), bucket(1, null), bucket(2, 4)]), log: false });
    expect(column(data, 'raw')).toEqual([5, null, 4]);
    expect(data.notFinite).toEqual([1]);
  });

  it('has no logarithm of zero', () => {
    const data = panelData({ main: series([bucket(0, 0), bucket(1, 2)]), log: true });
    expect(column(data, 'raw')).toEqual([null, 2]);
  });

  it('sets validation losses among the steps without breaking the curve', () => {
    const data = panelData({
      main: series([bucket(0, 5), bucket(2, 4)]),
      validation: series([bucket(1, 6)]),
      log: false,
    });
    expect(data.aligned[0]).toEqual([0, 1, 2]);
    expect(column(data, 'raw')).toEqual([5, undefined, 4]);
    expect(column(data, 'validation')).toEqual([undefined, 6, undefined]);
  });

  it('keeps abandoned tails apart from each other', () => {
    const abandoned = [
      { segment: 0, buckets: [bucket(3, 9), bucket(4, 9)] },
      { segment: 1, buckets: [bucket(7, 8)] },
    ];
    const data = panelData({ main: series([bucket(0, 5)], { abandoned }), log: false });
    expect(column(data, 'abandoned').filter((value) => value !== undefined)).toEqual([9, 9, null, 8, null]);
  });

  it('is empty before the first step', () => {
    expect(panelData({ main: null, log: false }).aligned[0]).toEqual([]);
  });
});

describe('the vertical axis', () => {
  it('leaves the outermost hundredths out when asked, of what is shown', () => {
    const buckets = Array.from({ length: 200 }, (_, step) =>
      bucket(step, step === 150 ? 1e6 : 5 + step / 1000),
    );
    const [low, high] = usualRange(buckets, null) ?? [0, 0];
    expect(low).toBeGreaterThan(5);
    expect(high).toBeLessThan(6);
    expect(usualRange(buckets, [140, 160])?.[1]).toBeLessThan(6);
    expect(usualRange(buckets.slice(0, 5), null)).toBeNull();
    expect(
      usualRange(
        buckets.map(({ step }) => bucket(step, 7)),
        null,
      ),
    ).toBeNull();
  });

  it('has room for any values, and none at all', () => {
    expect(yRange([null, null], false)).toEqual([0, 1]);
    expect(yRange([null, null], true)).toEqual([1, 10]);
    expect(yRange([0, 100], false)).toEqual([0, 106]);
    expect(yRange([3, 3], false)).toEqual([2.7, 3.3]);
    const [low, high] = yRange([1, 100], true);
    expect([low ?? 0, high ?? 0].map((edge) => edge > 0)).toEqual([true, true]);
  });
});

describe('several runs in one chart', () => {
  const curve = (id: string, xs: readonly number[]) => ({
    id,
    colour: 0,
    series: new LiveSeries(
      {
        metric: 'loss',
        x: 'step' as const,
        bucketSteps: 1,
        endStep: 9,
        buckets: xs.map((x) => bucket(x, x * 10)),
        abandoned: [],
      },
      { window: null, points: 100 },
    ),
  });

  it('share an axis, and each tells its value at any place of it', () => {
    const data = compareData([curve('a', [1, 3]), curve('b', [2, 4])], { log: false, logX: false });
    expect(data[0]).toEqual([1, 2, 3, 4]);
    expect([0, 1].map((run) => curveValue(data, run, 2))).toEqual([30, 20]);
    expect(curveValue(data, 1, 0)).toBeNull();
    expect(curveValue(data, 1, null)).toBe(40);
  });

  it('may be none', () => {
    expect(compareData([], { log: false, logX: false })).toEqual([[]]);
  });
});

describe('what is drawn of a logged run', () => {
  const named = (name: string) => ({
    name,
    help: '',
    unit: '',
    last: 1,
    min: 1,
    max: 1,
    best: null,
    bestStep: null,
    count: 1,
    notFinite: 0,
  });

  it('is its loss first, with the validation over it; axes are no curves', () => {
    const plan = planOf(['tokens', 'acc', 'train/loss', 'val_loss', 'lr'].map(named));
    expect(plan?.main.metric).toBe('train/loss');
    expect(plan?.validation).toBe('val_loss');
    expect(plan?.others.map(({ metric }) => metric)).toEqual(['acc', 'lr']);
    expect(planOf(['reward'].map(named))?.main.metric).toBe('reward');
    expect(planOf([])).toBeNull();
  });
});

describe('alerts among the events', () => {
  it('stand where they began, with the tone of their severity', () => {
    const alert = {
      id: 'a',
      rule: 'loss-spike',
      severity: 'error',
      state: 'firing',
      metric: 'loss',
      worker: null,
      step: 7,
      text: 'the loss jumped',
      startedWallMs: 5,
      updatedWallMs: 6,
      endedWallMs: null,
      acknowledgedWallMs: null,
    } as const;
    const [shown] = alertEvents([alert]);
    expect(shown).toMatchObject({ seq: -1, step: 7, wallMs: 5, text: 'the loss jumped' });
    expect(toneOf(shown?.kind ?? '')).toBe('bad');
  });
});

describe('zooming', () => {
  it('ends where everything is shown', () => {
    expect(zoomedOut([40, 60], [0, 1000])).toEqual([30, 70]);
    expect(zoomedOut([10, 900], [0, 1000])).toBeNull();
    expect(windowForKey('Escape', [10, 20], [0, 100])).toBeNull();
    expect(windowForKey('ArrowRight', [10, 20], [0, 100])).toEqual([12.5, 22.5]);
    expect(windowForKey('a', [10, 20], [0, 100])).toBeUndefined();
  });

  it('never closes in on nothing', () => {
    expect(wholeNumbers([10.2, 10.3])).toEqual([10, 11]);
    expect(wholeNumbers([10, 10])).toEqual([10, 11]);
    expect(wholeNumbers(null)).toBeNull();
  });
});
