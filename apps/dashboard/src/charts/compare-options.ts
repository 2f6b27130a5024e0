// The chart of several runs: the axes and gestures of every other chart, lines in the runs' colours.
import type uPlot from 'uplot';
import type { Axis } from '../api/types';
import { cursorOf, selected, xAxis, xRange, yAxis, yRange } from './chart-options';
import { colour, faint } from './palette';
import { COLUMNS_PER_RUN } from './compare-data';

export interface CompareBehaviour {
  readonly axis: Axis;
  readonly log: boolean;
  readonly logX: boolean;
  /** Index of the colour of each run, in order. */
  readonly colours: readonly number[];
  readonly window: () => readonly [number, number] | null;
  readonly onZoom: (from: number, to: number) => void;
  readonly onReset: () => void;
  readonly onHover: (index: number | null, leftPx: number) => void;
}

export function compareOptions(
  behaviour: CompareBehaviour,
  size: { width: number; height: number },
): uPlot.Options {
  const { axis, log, logX, colours, window } = behaviour;
  const points = { show: false };
  const edge: uPlot.Series = { points, width: 0, stroke: 'transparent' };
  return {
    ...size,
    padding: [10, 14, 0, 0],
    ms: 1,
    legend: { show: false },
    scales: {
      x: {
        time: axis === 'time',
        range: (_chart, min, max) => xRange(window() ?? [min, max], logX),
        ...(logX ? { distr: 3 as const } : {}),
      },
      y: { range: (_chart, min, max) => yRange([min, max], log), ...(log ? { distr: 3 as const } : {}) },
    },
    axes: [xAxis(axis, logX), yAxis(log)],
    series: [
      {},
      ...colours.flatMap((index) => [
        edge,
        edge,
        { points, width: 1.75, stroke: () => colour(`s${index}`), spanGaps: true },
      ]),
    ],
    bands: colours.map((index, run) => ({
      series: [run * COLUMNS_PER_RUN + 2, run * COLUMNS_PER_RUN + 1] as [number, number],
      fill: () => faint(`s${index}`, 0.13),
    })),
    cursor: cursorOf(behaviour),
    hooks: {
      setSelect: [(chart) => selected(chart, behaviour)],
      setCursor: [(chart) => behaviour.onHover(chart.cursor.idx ?? null, chart.cursor.left ?? -1)],
    },
  };
}
