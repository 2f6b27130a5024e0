// What the address of the page holds: a link shows another person the same view.
import type { Axis } from '../api/types';

export type Theme = 'auto' | 'light' | 'dark';
/** Over steps, or over time: what is far apart in time then weighs less. */
export type Smoothing = 'ema' | 'time';

export interface ViewSettings {
  /** Empty: the first run there is. */
  readonly run: string;
  readonly axis: Axis;
  readonly logLoss: boolean;
  /** Logarithmic x; not for the time of day. */
  readonly logX: boolean;
  readonly smoothing: Smoothing;
  /** Steps the average looks back; 1 = off. */
  readonly smoothSteps: number;
  /** Leaves the outermost hundredths out of the y axis, so that one spike does not flatten a curve. */
  readonly clip: boolean;
  /** On the axis; null = all. */
  readonly window: readonly [number, number] | null;
  readonly markers: boolean;
  /** Money per worker and hour; null = not known. */
  readonly price: number | null;
  readonly theme: Theme;
  /** What single pages add, such as the level of the logs. */
  readonly detail: Detail;
}

export const DETAILS = [
  'metric',
  'runs',
  'only',
  'at',
  'prompt',
  'worker',
  'level',
  'find',
  'follow',
] as const;
export type DetailName = (typeof DETAILS)[number];
export type Detail = Readonly<Partial<Record<DetailName, string>>>;

export const DEFAULT_VIEW: ViewSettings = {
  run: '',
  axis: 'step',
  logLoss: false,
  logX: false,
  smoothing: 'ema',
  smoothSteps: 5,
  clip: false,
  window: null,
  markers: true,
  price: null,
  theme: 'auto',
  detail: {},
};

/** Steps of the smoothing slider; 1 = off. */
export const SMOOTHING_CHOICES = [1, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] as const;

export const AXES: readonly Axis[] = ['step', 'tokens', 'time', 'active'];
const THEMES: readonly Theme[] = ['auto', 'light', 'dark'];
const SMOOTHINGS: readonly Smoothing[] = ['ema', 'time'];

/** Reads the query; what makes no sense counts as left out. */
export function parseView(search: string): ViewSettings {
  const query = new URLSearchParams(search);
  const from = numberOf(query.get('from'));
  const to = numberOf(query.get('to'));
  const smooth = numberOf(query.get('smooth'));
  const price = numberOf(query.get('price'));
  const detail = DETAILS.flatMap((name) => (query.has(name) ? [[name, query.get(name) ?? '']] : []));
  return {
    run: query.get('run') ?? DEFAULT_VIEW.run,
    axis: choice(query.get('x'), AXES, DEFAULT_VIEW.axis),
    logLoss: query.get('log') === '1',
    logX: query.get('logx') === '1',
    smoothing: choice(query.get('by'), SMOOTHINGS, DEFAULT_VIEW.smoothing),
    smoothSteps: smooth !== null && smooth >= 1 ? Math.floor(smooth) : DEFAULT_VIEW.smoothSteps,
    clip: query.get('clip') === '1',
    window: from !== null && to !== null && from < to ? [from, to] : null,
    markers: query.get('markers') !== '0',
    price: price !== null && price > 0 ? price : null,
    theme: choice(query.get('theme'), THEMES, DEFAULT_VIEW.theme),
    detail: Object.fromEntries(detail) as Detail,
  };
}

/** The query string, with only what differs from the default; empty when nothing does. */
export function formatView(view: ViewSettings): string {
  const query = new URLSearchParams();
  if (view.run !== '') query.set('run', view.run);
  if (view.axis !== DEFAULT_VIEW.axis) query.set('x', view.axis);
  if (view.logLoss) query.set('log', '1');
  if (view.logX) query.set('logx', '1');
  if (view.smoothing !== DEFAULT_VIEW.smoothing) query.set('by', view.smoothing);
  if (view.smoothSteps !== DEFAULT_VIEW.smoothSteps) query.set('smooth', String(view.smoothSteps));
  if (view.clip) query.set('clip', '1');
  if (view.window !== null) {
    query.set('from', String(view.window[0]));
    query.set('to', String(view.window[1]));
  }
  if (!view.markers) query.set('markers', '0');
  if (view.price !== null) query.set('price', String(view.price));
  if (view.theme !== DEFAULT_VIEW.theme) query.set('theme', view.theme);
  for (const name of DETAILS) {
    const value = view.detail[name];
    if (value !== undefined && value !== '') query.set(name, value);
  }
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
