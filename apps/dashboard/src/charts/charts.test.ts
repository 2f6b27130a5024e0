import { describe, expect, it } from 'vitest';
import type { Bucket, RunEvent, Series } from '../api/types';
import { LiveSeries } from '../series/live-series';
import { eventX, placeMarkers, toneOf } from './markers';
import { COLUMNS, panelData } from './panel-data';
import { wholeNumbers, windowForKey, zoomedOut } from './zoom';

const event = (seq: number, step: number, kind: string): RunEvent => ({
  seq,
  step,
  kind,
  wallMs: 1000 * step,
  text: kind,
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
  const bucket = (x: number, last: number | null, fields: Partial<Bucket> = {}): Bucket => ({
    step: x,
    x,
    min: last,
    max: last,
    last,
    notFinite: last === null ? 1 : 0,
    ...fields,
  });
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
