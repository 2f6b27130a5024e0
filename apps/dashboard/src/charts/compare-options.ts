// The chart of several runs: the axes and gestures of every other chart, lines in the runs' colours.
import type uPlot from 'uplot';
import { chartFrame } from './chart-options';
import type { ChartBehaviour, Gestures } from './chart-options';
import { colour, faint } from './palette';
import { COLUMNS_PER_RUN } from './compare-data';

export interface CompareBehaviour extends Gestures, Pick<ChartBehaviour, 'axis' | 'log' | 'logX' | 'window'> {
  /** Index of the colour of each run, in order. */
  readonly colours: readonly number[];
}

export function compareOptions(
  behaviour: CompareBehaviour,
  size: { width: number; height: number },
): uPlot.Options {
  const { colours } = behaviour;
  const points = { show: false };
  const edge: uPlot.Series = { points, width: 0, stroke: 'transparent' };
  return {
    ...chartFrame({ ...behaviour, clip: () => null }, size),
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
  };
}
