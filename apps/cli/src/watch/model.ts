// What the view knows and what it shows of it: a pure function from inputs (keys, answers, the stream) to the next model
// and what is to be done. Nothing here draws, waits or asks.
import { AXES, type Axis } from './chart.js';
import type { AlertData, EventData, RunData, SeriesData, StepData } from './run-data.js';

export interface Curves {
  readonly loss: SeriesData;
  readonly valLoss: SeriesData;
  readonly tokensPerSecond: SeriesData;
  /** The part of the axis that was asked for; null: all. */
  readonly window: { readonly from: number; readonly to: number } | null;
}

export interface Settings {
  readonly axis: Axis;
  readonly logY: boolean;
  /** Steps that the average looks back; 1 = off. */
  readonly smoothSteps: number;
  /** The shown part is 1/2^zoom of the axis. */
  readonly zoom: number;
  /** Right end of the shown part as a share of the axis; 1 follows the newest step. */
  readonly end: number;
}

/** A wish that waits for y. */
export type Question = 'pause' | 'resume' | { readonly acknowledge: AlertData };

export interface WatchModel {
  readonly run: RunData | null;
  readonly curves: Curves | null;
  readonly events: readonly EventData[];
  readonly alerts: readonly AlertData[];
  readonly settings: Settings;
  readonly help: boolean;
  readonly question: Question | null;
  /** What a wish came to, or why a key did nothing. */
  readonly notice: string;
  /** null while the stream is open, else why not. */
  readonly trouble: string | null;
  /** Monotonic time when anything was heard last. */
  readonly heardMs: number;
  readonly canControl: boolean;
}

export type WatchInput =
  | { readonly kind: 'key'; readonly name: string }
  | { readonly kind: 'run'; readonly run: RunData }
  | { readonly kind: 'curves'; readonly curves: Curves }
  | { readonly kind: 'step'; readonly step: StepData }
  | { readonly kind: 'events'; readonly events: readonly EventData[] }
  | { readonly kind: 'alerts'; readonly alerts: readonly AlertData[] }
  | { readonly kind: 'heard' }
  | { readonly kind: 'trouble'; readonly reason: string }
  | { readonly kind: 'notice'; readonly text: string };

export type WatchEffect =
  | { readonly kind: 'quit' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'redraw-all' }
  | { readonly kind: 'fetch-curves' }
  | { readonly kind: 'wish'; readonly wish: Question };

export interface WatchTurn {
  readonly model: WatchModel;
  readonly effects: readonly WatchEffect[];
}

const SMOOTHINGS = [16, 128, 1] as const;
const MAX_ZOOM = 12;
/** Enough for every screen; the run's directory has all of them. */
const EVENTS_KEPT = 1000;

export function initialModel(options: { canControl: boolean; nowMs: number }): WatchModel {
  return {
    ...{ run: null, curves: null, events: [], alerts: [], help: false, question: null, notice: '' },
    settings: { axis: 'step', logY: false, smoothSteps: SMOOTHINGS[0], zoom: 0, end: 1 },
    ...{ trouble: 'connecting', heardMs: options.nowMs, canControl: options.canControl },
  };
}

export function take(nowMs: number, model: WatchModel, input: WatchInput): WatchTurn {
  const heard = { ...model, trouble: null, heardMs: nowMs };
  switch (input.kind) {
    case 'key':
      return takeKey({ ...model, notice: '' }, input.name);
    case 'run':
      return { model: { ...heard, run: input.run }, effects: [] };
    case 'curves':
      return { model: { ...model, curves: input.curves }, effects: [] };
    case 'step':
      return { model: { ...heard, run: withStep(model.run, input.step) }, effects: [] };
    case 'events':
      return { model: { ...model, events: merged(model.events, input.events) }, effects: [] };
    case 'alerts':
      return { model: { ...model, alerts: mergedAlerts(model.alerts, input.alerts) }, effects: [] };
    case 'heard':
      return { model: heard, effects: [] };
    case 'trouble':
      return { model: { ...model, trouble: input.reason }, effects: [] };
    case 'notice':
      return { model: { ...model, notice: input.text }, effects: [] };
  }
}

function takeKey(model: WatchModel, name: string): WatchTurn {
  const stay = (changed: Partial<WatchModel> = {}): WatchTurn => ({
    model: { ...model, ...changed },
    effects: [],
  });
  if (name === 'ctrl-c') return { model, effects: [{ kind: 'quit' }] };
  if (name === 'ctrl-z') return { model, effects: [{ kind: 'suspend' }] };
  if (name === 'ctrl-l') return { model, effects: [{ kind: 'redraw-all' }] };
  if (model.question !== null) return answered(model, name);
  if (name === 'q') return { model, effects: [{ kind: 'quit' }] };
  if (name === '?' || name === 'h') return stay({ help: !model.help });
  if (name === 'escape') return stay({ help: false });
  if (name === 'p') return asked(model);
  if (name === 'a') return askedToAcknowledge(model);
  const settings = changedSettings(model.settings, name);
  if (settings === null) return stay();
  const isFetched = name !== 'l';
  return {
    model: { ...model, settings, help: false },
    effects: isFetched ? [{ kind: 'fetch-curves' }] : [],
  };
}

function asked(model: WatchModel): WatchTurn {
  const { run, canControl } = model;
  const refuse = (notice: string): WatchTurn => ({ model: { ...model, notice }, effects: [] });
  if (!canControl) return refuse("pausing needs the run's token: --out DIR, --token or CRIA_TOKEN");
  if (run === null || ['finished', 'stopped', 'failed'].includes(run.phase)) {
    return refuse('there is nothing to pause');
  }
  return { model: { ...model, question: run.phase === 'paused' ? 'resume' : 'pause' }, effects: [] };
}

/** The newest first; pressing again brings the next one. */
function askedToAcknowledge(model: WatchModel): WatchTurn {
  const refuse = (notice: string): WatchTurn => ({ model: { ...model, notice }, effects: [] });
  const alert = model.alerts.find(isOpen);
  if (alert === undefined) return refuse('there is no alert to acknowledge');
  if (!model.canControl) return refuse("it needs the run's token: --out DIR, --token or CRIA_TOKEN");
  return { model: { ...model, question: { acknowledge: alert } }, effects: [] };
}

/** Still firing, and nobody has said that they know. */
export function isOpen({ state, acknowledgedWallMs }: AlertData): boolean {
  return state === 'firing' && acknowledgedWallMs === null;
}

function answered(model: WatchModel, name: string): WatchTurn {
  const { question } = model;
  const settled = { ...model, question: null };
  if (name !== 'y' || question === null) return { model: settled, effects: [] };
  return { model: settled, effects: [{ kind: 'wish', wish: question }] };
}

function changedSettings(settings: Settings, name: string): Settings | null {
  const { axis, smoothSteps, zoom, end } = settings;
  const width = 1 / 2 ** zoom;
  const zoomedTo = (level: number): Settings => ({
    ...settings,
    zoom: level,
    end: Math.min(1, Math.max(end, 1 / 2 ** level)),
  });
  switch (name) {
    case 'l':
      return { ...settings, logY: !settings.logY };
    case 's':
      return { ...settings, smoothSteps: next(SMOOTHINGS, smoothSteps) };
    case 'x':
      return { ...settings, axis: next(AXES, axis) };
    case '+':
    case '=':
    case 'up':
      return zoomedTo(Math.min(MAX_ZOOM, zoom + 1));
    case '-':
    case 'down':
      return zoomedTo(Math.max(0, zoom - 1));
    case 'left':
      return { ...settings, end: Math.max(width, end - width / 4) };
    case 'right':
      return { ...settings, end: Math.min(1, end + width / 4) };
    case 'end':
      return { ...settings, end: 1 };
    case '0':
    case 'home':
      return { ...settings, zoom: 0, end: 1 };
    default:
      return null;
  }
}

function next<T>(values: readonly T[], value: T): T {
  return values[(values.indexOf(value) + 1) % values.length] ?? value;
}

function withStep(run: RunData | null, step: StepData): RunData | null {
  if (run === null) return null;
  const valLoss = typeof step['valLoss'] === 'number' ? step['valLoss'] : run.valLoss;
  const tokens = typeof step['tokens'] === 'number' ? step['tokens'] : run.tokens;
  return { ...run, latest: step, step: step.step + 1, valLoss, tokens };
}

/** Seen twice (by a read and by the stream) is seen once. */
function merged(known: readonly EventData[], more: readonly EventData[]): EventData[] {
  const keyOf = (event: EventData): string => `${event.seq} ${event.wallMs}`;
  const byKey = new Map([...known, ...more].map((event) => [keyOf(event), event]));
  return [...byKey.values()].sort((a, b) => a.wallMs - b.wallMs || a.seq - b.seq).slice(-EVENTS_KEPT);
}

function mergedAlerts(known: readonly AlertData[], more: readonly AlertData[]): AlertData[] {
  const byId = new Map([...known, ...more].map((alert) => [alert.id, alert]));
  return [...byId.values()].sort((a, b) => b.startedWallMs - a.startedWallMs);
}

/** The shown part of an axis from `first` to `last`. */
export function shownPart(settings: Settings, first: number, last: number): { from: number; to: number } {
  const length = last - first;
  const to = first + length * settings.end;
  return { from: Math.max(first, to - length / 2 ** settings.zoom), to };
}
