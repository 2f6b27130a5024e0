// What the list of runs and a run's page show first: facts, progress, the main metrics, what it cost.
import { describeMetric, estimateRemainingMs, isMetricName } from '@cria/metrics';
import type { MetricHistory, StepMetrics } from '@cria/metrics';
import { flatConfig } from './flat-config.js';
import type { MemberView, RunFacts, RunStatus, RunView } from './run-view.js';

export interface MetricSummary {
  readonly unit: string;
  readonly last: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly best: number | null;
  readonly bestStep: number | null;
  readonly count: number;
  readonly notFinite: number;
}

export interface RunBrief extends Omit<RunFacts, 'tokensPerStep'> {
  readonly live: boolean;
  readonly step: number;
  readonly term: number;
  readonly tokens: number;
  readonly tokenBudget: number | null;
  /** Milliseconds of training left at the present pace; null before there is one. */
  readonly remainingMs: number | null;
  readonly loss: number | null;
  readonly workers: number;
  readonly updatedWallMs: number | null;
  readonly activeMs: number;
  readonly tags: readonly string[];
  readonly note: string;
  readonly metrics: Readonly<Record<string, MetricSummary>>;
}

export interface RunSummary
  extends
    RunBrief,
    Pick<RunStatus, 'leader' | 'members' | 'coordinators' | 'seats' | 'mathHash' | 'opsHash'> {
  readonly parameters: number | null;
  readonly tokensPerStep: number | null;
  readonly latest: StepMetrics | null;
  /** The newest validation loss that was finite. */
  readonly valLoss: number | null;
  readonly cost: Cost | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly segments: ReadonlyArray<{
    segment: number;
    firstStep: number;
    endStep: number;
    startedWallMs: number;
  }>;
  readonly alerts: { readonly firing: number; readonly unacknowledged: number };
}

export interface Cost {
  readonly pricePerHour: number;
  readonly currency: string;
  readonly soFar: number;
  readonly total: number | null;
}

const MAIN_METRICS = ['loss', 'valLoss', 'tokensPerSecond', 'gradNorm'];
const MAIN_OF_LOGGED = 8;
const LEAST_IS_BEST = /loss|perplexity|error/i;
const MOST_IS_BEST = /^tokensPerSecond$|^mfu$|accuracy|reward|score|per_?second/i;
const MS_PER_HOUR = 3_600_000;

export function briefOf(view: RunView): RunBrief {
  const { tokensPerStep, ...facts } = view.facts();
  const history = view.metrics();
  const latest = history.last();
  const status = view.live()?.status() ?? null;
  const number = (name: string): number | null => finiteOrNull(history.column(name).lastFinite());
  return {
    ...facts,
    live: status !== null,
    step: status?.step ?? history.endStep,
    term: status?.term ?? 0,
    tokens: number('tokens') ?? 0,
    tokenBudget: tokensPerStep === null || facts.steps === null ? null : tokensPerStep * facts.steps,
    remainingMs: facts.steps === null ? null : estimateRemainingMs(history, facts.steps),
    loss: latest?.loss ?? null,
    workers: (status?.members ?? []).filter(({ role }) => role === 'member').length,
    updatedWallMs: number('wallMs'),
    activeMs: number('activeMs') ?? 0,
    ...view.notes(),
    metrics: Object.fromEntries(mainMetrics(history).map((name) => [name, metricSummary(history, name)])),
  };
}

export function summaryOf(view: RunView): RunSummary {
  const { tokensPerStep, parameters } = view.facts();
  const status = view.live()?.status() ?? null;
  const history = view.metrics();
  const alerts = view.alerts();
  return {
    ...briefOf(view),
    leader: status?.leader ?? '',
    members: withComparison(status),
    coordinators: status?.coordinators ?? [],
    seats: status?.seats ?? { target: 0, waiting: 0 },
    mathHash: status?.mathHash ?? '',
    opsHash: status?.opsHash ?? '',
    parameters,
    tokensPerStep,
    latest: history.last(),
    valLoss: history.column('valLoss').lastFinite(),
    cost: costOf(view),
    config: flatConfig(view.config()),
    segments: segmentsOf(history),
    alerts: {
      firing: alerts.filter(({ state }) => state === 'firing').length,
      unacknowledged: alerts.filter(({ acknowledgedWallMs }) => acknowledgedWallMs === null).length,
    },
  };
}

export function metricSummary(history: MetricHistory, name: string): MetricSummary {
  const column = history.column(name);
  const { min, max, last, count, notFinite } = column.summariseAll();
  const which = LEAST_IS_BEST.test(name) ? 'min' : MOST_IS_BEST.test(name) ? 'max' : null;
  const has = count > 0;
  return {
    unit: isMetricName(name) ? describeMetric(name).unit : '',
    last: has ? last : null,
    min: has ? min : null,
    max: has ? max : null,
    best: which === null || !has ? null : which === 'min' ? min : max,
    bestStep: which === null ? null : column.stepOf(which),
    count,
    notFinite,
  };
}

export interface ComparedMember extends MemberView {
  readonly lagSteps: number;
  readonly speedRatio: number | null;
  readonly lagMs: number | null;
}

/** Each member against the median of those that compute. */
export function withComparison(status: RunStatus | null): ComparedMember[] {
  if (status === null) return [];
  const members = status.members.filter(({ role }) => role === 'member');
  const speed = median(members.map(({ tokensPerSecond }) => tokensPerSecond).filter((value) => value > 0));
  const slotMs = median(members.flatMap((member) => (member.slotMs === null ? [] : [member.slotMs])));
  return status.members.map((member) => ({
    ...member,
    lagSteps: Math.max(0, status.step - member.position),
    speedRatio: speed === null || member.tokensPerSecond <= 0 ? null : member.tokensPerSecond / speed,
    lagMs:
      slotMs === null || member.slotMs === null
        ? null
        : (member.slotMs - slotMs) * Math.max(1, member.slots.length),
  }));
}

export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

function mainMetrics(history: MetricHistory): string[] {
  if (history.schema === 'cria') return MAIN_METRICS;
  const places = ['wallMs', 'activeMs', 'tokens'];
  return history.names.filter((name) => !places.includes(name)).slice(0, MAIN_OF_LOGGED);
}

function segmentsOf(history: MetricHistory): RunSummary['segments'] {
  return history.segments.map((one, i) => ({
    ...one,
    endStep: history.segments[i + 1]?.firstStep ?? history.endStep,
  }));
}

/** The price of a worker's hour times the time that workers spent in steps. */
function costOf(view: RunView): Cost | null {
  const flat = flatConfig(view.config());
  const price = flat['metrics.pricePerHour'];
  if (typeof price !== 'number') return null;
  const history = view.metrics();
  const soFar = (price * workerMs(history)) / MS_PER_HOUR;
  const { steps } = view.facts();
  const done = history.endStep;
  return {
    pricePerHour: price,
    currency: typeof flat['metrics.currency'] === 'string' ? flat['metrics.currency'] : 'USD',
    soFar,
    total: steps === null || done === 0 ? null : (soFar / done) * steps,
  };
}

/** Mean step time times mean workers is exact enough: both are summarised already. */
function workerMs(history: MetricHistory): number {
  const steps = history.column('stepMs').summariseAll();
  const workers = history.column('workers').summariseAll();
  return workers.count === 0 ? 0 : steps.sum * (workers.sum / workers.count);
}

function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
