// Cria's own runs have curves that are known; a logged run has whatever it logged.
import type { NamedMetric } from '../api/types';
import { formatValue } from '../format';
import { LOSS, SMALL_CHARTS } from './chart-list';
import type { ChartSpec } from './chart-list';

export interface ChartPlan {
  readonly main: ChartSpec;
  /** Drawn as dots over the main curve. */
  readonly validation: string | null;
  readonly others: readonly ChartSpec[];
}

export const CRIA_PLAN: ChartPlan = { main: LOSS, validation: 'valLoss', others: SMALL_CHARTS };

const MAIN_NAMES = /^(train[/_.-])?loss$/i;
const VALIDATION_NAMES = /^(val(idation|Loss)?|eval)([/_.-]?loss)?$/i;
/** Axes, not curves. */
const AXES = new Set(['tokens', 'wallMs', 'activeMs']);

/** The loss first; where there is none, what was logged first. */
export function planOf(metrics: readonly NamedMetric[]): ChartPlan | null {
  const drawn = metrics.filter(({ name }) => !AXES.has(name));
  const main = drawn.find(({ name }) => MAIN_NAMES.test(name)) ?? drawn[0];
  if (main === undefined) return null;
  const validation = drawn.find(({ name }) => name !== main.name && VALIDATION_NAMES.test(name));
  const others = drawn.filter(({ name }) => name !== main.name && name !== validation?.name);
  return { main: specOf(main), validation: validation?.name ?? null, others: others.map(specOf) };
}

function specOf({ name, unit, help }: NamedMetric): ChartSpec {
  const known = [LOSS, ...SMALL_CHARTS].find(({ metric }) => metric === name);
  return known ?? { metric: name, title: name, unit, help, format: formatValue, smoothed: true };
}
