// Which curves the page of a run draws, in the order in which people look at them.
import { formatCompact, formatMilliseconds, formatValue } from '../format';

export interface ChartSpec {
  readonly metric: string;
  readonly title: string;
  readonly unit: string;
  readonly format: (value: number) => string;
  /** Smoothing a schedule, a count or a few scattered evaluations would only bend them. */
  readonly smoothed: boolean;
  /** One sentence under the title's tooltip. */
  readonly help: string;
}

const plainLoss = (value: number): string => value.toFixed(3);
const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;
const count = (value: number): string => String(Math.round(value));

export const LOSS: ChartSpec = {
  metric: 'loss',
  title: 'Loss',
  unit: 'nats per token',
  format: plainLoss,
  smoothed: true,
  help: 'Mean training loss of the tokens of each step; dots are the validation loss.',
};

export const SMALL_CHARTS: readonly ChartSpec[] = [
  {
    metric: 'tokensPerSecond',
    title: 'Throughput',
    unit: 'tokens/s',
    format: formatCompact,
    smoothed: true,
    help: 'Tokens trained on per second, over all workers.',
  },
  {
    metric: 'gradNorm',
    title: 'Gradient norm',
    unit: '',
    format: formatValue,
    smoothed: true,
    help: 'Global L2 norm of the gradient before clipping.',
  },
  {
    metric: 'lr',
    title: 'Learning rate',
    unit: '',
    format: formatValue,
    smoothed: false,
    help: 'Learning rate of the step.',
  },
  {
    metric: 'mfu',
    title: 'MFU',
    unit: 'of peak',
    format: percent,
    smoothed: true,
    help: "Share of the devices' peak that the model's own arithmetic used.",
  },
  {
    metric: 'stepMs',
    title: 'Step time',
    unit: '',
    format: formatMilliseconds,
    smoothed: true,
    help: 'Time from one commit to the next.',
  },
  {
    metric: 'exchangeMs',
    title: 'Exchange',
    unit: '',
    format: formatMilliseconds,
    smoothed: true,
    help: 'Time of the step spent exchanging gradients.',
  },
  {
    metric: 'waitMs',
    title: 'Exchange wait',
    unit: '',
    format: formatMilliseconds,
    smoothed: true,
    help: 'Time of the step that workers spent waiting for others.',
  },
  {
    metric: 'dataMs',
    title: 'Data wait',
    unit: '',
    format: formatMilliseconds,
    smoothed: true,
    help: 'Time of the step in which workers waited for their tokens to be read.',
  },
  {
    metric: 'bitsPerParameter',
    title: 'On the wire',
    unit: 'bits per parameter',
    format: (value) => value.toFixed(1),
    smoothed: true,
    help: 'Gradient bits on the wire per parameter.',
  },
  {
    metric: 'lostMs',
    title: 'Lost time',
    unit: '',
    format: formatMilliseconds,
    smoothed: false,
    help: 'Time spent on attempts that came to nothing.',
  },
  {
    metric: 'attempts',
    title: 'Attempts',
    unit: 'per step',
    format: count,
    smoothed: false,
    help: 'Exchanges that the step needed; 1 when nothing went wrong.',
  },
  {
    metric: 'workers',
    title: 'Workers',
    unit: 'in the step',
    format: count,
    smoothed: false,
    help: 'Workers whose slots are in the step.',
  },
];
