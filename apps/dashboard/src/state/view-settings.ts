// What the address of the page holds: a link shows another person the same view.
import type { Axis } from '../api/types';

export type Theme = 'auto' | 'light' | 'dark';

export interface ViewSettings {
  /** Empty: the first run there is. */
  readonly run: string;
  readonly axis: Axis;
  readonly logLoss: boolean;
  /** Steps the average looks back; 1 = off. */
  readonly smoothSteps: number;
  /** On the axis; null = all. */
  readonly window: readonly [number, number] | null;
  readonly markers: boolean;
  readonly theme: Theme;
}

export const DEFAULT_VIEW: ViewSettings = {
  run: '',
  axis: 'step',
  logLoss: false,
  smoothSteps: 5,
  window: null,
  markers: true,
  theme: 'auto',
};

/** Steps of the smoothing slider; 1 = off. */
export const SMOOTHING_CHOICES = [1, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] as const;

const AXES: readonly Axis[] = ['step', 'tokens', 'time', 'active'];
const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];

/** Reads `?run=&x=&log=&smooth=&from=&to=&markers=&theme=`; what makes no sense counts as left out. */
export function parseView(search: string): ViewSettings {
  const query = new URLSearchParams(search);
  const from = numberOf(query.get('from'));
  const to = numberOf(query.get('to'));
  const smooth = numberOf(query.get('smooth'));
  return {
    run: query.get('run') ?? DEFAULT_VIEW.run,
    axis: choice(query.get('x'), AXES, DEFAULT_VIEW.axis),
    logLoss: query.get('log') === '1',
    smoothSteps: smooth !== null && smooth >= 1 ? Math.floor(smooth) : DEFAULT_VIEW.smoothSteps,
    window: from !== null && to !== null && from < to ? [from, to] : null,
    markers: query.get('markers') !== '0',
    theme: choice(query.get('theme'), THEMES, DEFAULT_VIEW.theme),
  };
}

/** The query string, with only what differs from the default; empty when nothing does. */
export function formatView(view: ViewSettings): string {
  const query = new URLSearchParams();
  if (view.run !== '') query.set('run', view.run);
  if (view.axis !== DEFAULT_VIEW.axis) query.set('x', view.axis);
  if (view.logLoss) query.set('log', '1');
  if (view.smoothSteps !== DEFAULT_VIEW.smoothSteps) query.set('smooth', String(view.smoothSteps));
  if (view.window !== null) {
    query.set('from', String(view.window[0]));
    query.set('to', String(view.window[1]));
  }
  if (!view.markers) query.set('markers', '0');
  if (view.theme !== DEFAULT_VIEW.theme) query.set('theme', view.theme);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function choice<T extends string>(text: string | null, choices: readonly T[], otherwise: T): T {
  return choices.find((candidate) => candidate === text) ?? otherwise;
}

function numberOf(text: string | null): number | null {
  const value = Number(text);
  return text !== null && text !== '' && Number.isFinite(value) ? value : null;
}
