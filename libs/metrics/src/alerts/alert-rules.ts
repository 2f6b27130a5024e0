// The rules: from what was seen to readings. Pure functions of a state and an observation; the clock is in the observation.
import type { StepMetrics } from '../step-metrics.js';
import type { Alert } from './alert.js';
import { NO_CONDITIONS, judge, withoutSubject } from './conditions.js';
import type { Conditions, Reading } from './conditions.js';
import { NO_SPREAD, sigmasAbove, withValue } from './moving-spread.js';
import type { MovingSpread } from './moving-spread.js';
import type { Thresholds } from './thresholds.js';

export interface AlertState {
  readonly conditions: Conditions;
  readonly loss: MovingSpread;
  readonly gradNorm: MovingSpread;
  /** Losses smoothed over about 50 steps, and the least that was. */
  readonly smoothLoss: number | null;
  readonly bestLoss: number | null;
  readonly throughput: MovingSpread;
  /** Of the last steps, for their median. */
  readonly stepMs: readonly number[];
  readonly lastStepWallMs: number | null;
  readonly step: number;
  /** Since when jobs wait in a paused queue; null when none do. */
  readonly pausedSinceWallMs: number | null;
}

export const NO_ALERTS: AlertState = {
  conditions: NO_CONDITIONS,
  loss: NO_SPREAD,
  gradNorm: NO_SPREAD,
  smoothLoss: null,
  bestLoss: null,
  throughput: NO_SPREAD,
  stepMs: [],
  lastStepWallMs: null,
  step: 0,
  pausedSinceWallMs: null,
};

/** Looked at once a second, whether steps come or not. */
export interface Look {
  readonly wallMs: number;
  readonly phase: string;
  readonly members: ReadonlyArray<{
    readonly id: string;
    readonly lastContactMs: number;
    readonly slotMs: number | null;
  }>;
  /** The queues that are paused, with how many jobs wait in each. */
  readonly pausedQueues: ReadonlyArray<{ readonly name: string; readonly waiting: number }>;
  /** Of the newest checkpoint; null when there is none. */
  readonly checkpointStep: number | null;
  readonly checkpointEverySteps: number;
  /** Of the disk that holds the run's directory; null when nobody can say. */
  readonly freeBytes: number | null;
}

export interface AlertTurn {
  readonly state: AlertState;
  /** Raised or ended. */
  readonly changed: readonly Alert[];
}

const RECENT_STEPS = 32;
const SMOOTH_WEIGHT = 0.98;
/** A condition ends when it is this much better than what raises it. */
const HYSTERESIS = 0.8;
const END_AFTER_STEPS = 5;
const END_AFTER_LOOKS = 2;
const ENOUGH_STEPS = 30;
const GIB = 2 ** 30;

/** A step was committed. */
export function alertsAfterStep(state: AlertState, committed: StepMetrics, rules: Thresholds): AlertTurn {
  const row = {
    ...committed,
    loss: finiteOrNull(committed.loss),
    gradNorm: finiteOrNull(committed.gradNorm),
  };
  const readings = [
    ...notFinite(row, rules),
    ...lossSpike(state, row, rules),
    ...divergence(state, row, rules),
    ...gradNormSpike(state, row, rules),
    ...throughputDrop(state, row, rules),
    ...dataLoading(row, rules),
  ];
  const { conditions, changed } = judge(state.conditions, readings, { step: row.step, wallMs: row.wallMs });
  return { state: { ...afterRow(state, row, rules), conditions }, changed };
}

/** A second has passed. */
export function alertsAfterLook(state: AlertState, look: Look, rules: Thresholds): AlertTurn {
  const moment = { step: state.step, wallMs: look.wallMs };
  const here = new Set(look.members.map(({ id }) => id));
  const departed = withoutSubject(
    state.conditions,
    (alert) => alert.worker !== null && !here.has(alert.worker),
    moment,
  );
  const isHeldUp = look.pausedQueues.some(({ waiting }) => waiting > 0);
  const pausedSinceWallMs = isHeldUp ? (state.pausedSinceWallMs ?? look.wallMs) : null;
  const readings = [
    ...stalled(state, look, rules),
    ...silent(look, rules),
    ...stragglers(look, rules),
    ...pausedQueue(pausedSinceWallMs, look, rules),
    ...checkpointOverdue(state, look, rules),
    ...diskLow(look, rules),
  ];
  const judged = judge(departed.conditions, readings, moment);
  return {
    state: { ...state, pausedSinceWallMs, conditions: judged.conditions },
    changed: [...departed.changed, ...judged.changed],
  };
}

function afterRow(state: AlertState, row: StepMetrics, rules: Thresholds): AlertState {
  const { loss, gradNorm, tokensPerSecond } = row;
  const isSpike =
    loss !== null && (sigmasAbove(state.loss, loss) ?? 0) > (rules.lossSpike?.sigmas ?? Infinity);
  const smoothLoss =
    loss === null
      ? state.smoothLoss
      : state.smoothLoss === null
        ? loss
        : SMOOTH_WEIGHT * state.smoothLoss + (1 - SMOOTH_WEIGHT) * loss;
  return {
    ...state,
    // Spikes stay outside, unless they have become the rule.
    loss:
      loss === null || (isSpike && !isFiring(state, 'loss-spike loss'))
        ? state.loss
        : withValue(state.loss, loss),
    gradNorm: gradNorm === null ? state.gradNorm : withValue(state.gradNorm, gradNorm),
    throughput: withValue(state.throughput, tokensPerSecond),
    smoothLoss,
    bestLoss: smoothLoss === null ? state.bestLoss : Math.min(state.bestLoss ?? Infinity, smoothLoss),
    stepMs: [...state.stepMs, row.stepMs].slice(-RECENT_STEPS),
    lastStepWallMs: row.wallMs,
    step: row.step,
  };
}

function isFiring(state: AlertState, key: string): boolean {
  return state.conditions.open.get(key)?.alert != null;
}

function notFinite({ step, loss, gradNorm }: StepMetrics, { notFinite }: Thresholds): Reading[] {
  if (!notFinite) return [];
  return (
    [
      ['loss', loss],
      ['gradNorm', gradNorm],
    ] as const
  ).map(([metric, value]) => ({
    rule: 'not-finite',
    subject: metric,
    metric,
    verdict: value === null ? 'bad' : 'good',
    text: `${metric} of step ${step} is not finite`,
    severity: 'error',
    raiseAfter: 1,
    endAfter: END_AFTER_STEPS,
  }));
}

function lossSpike(state: AlertState, { loss }: StepMetrics, { lossSpike: rule }: Thresholds): Reading[] {
  const sigmas = rule === null || loss === null ? null : sigmasAbove(state.loss, loss);
  if (rule === null || sigmas === null) return [];
  return [
    {
      rule: 'loss-spike',
      subject: 'loss',
      metric: 'loss',
      verdict: above(sigmas, rule.sigmas),
      text: `loss ${digits(loss)} is ${sigmas.toFixed(1)} deviations above its average of ${digits(state.loss.mean)}`,
      severity: 'warn',
      raiseAfter: rule.steps,
      endAfter: END_AFTER_STEPS,
    },
  ];
}

function divergence(state: AlertState, _row: StepMetrics, { divergence: rule }: Thresholds): Reading[] {
  const { smoothLoss, bestLoss } = state;
  if (rule === null || smoothLoss === null || bestLoss === null) return [];
  return [
    {
      rule: 'divergence',
      subject: 'loss',
      metric: 'loss',
      verdict: above(smoothLoss - bestLoss, rule.nats),
      text: `the smoothed loss ${digits(smoothLoss)} has been over ${rule.nats} above its best ${digits(bestLoss)} for ${rule.steps} steps`,
      severity: 'error',
      raiseAfter: rule.steps,
      endAfter: END_AFTER_STEPS,
    },
  ];
}

function gradNormSpike(state: AlertState, row: StepMetrics, { gradNormSpike: rule }: Thresholds): Reading[] {
  const { gradNorm } = row;
  const sigmas = rule === null || gradNorm === null ? null : sigmasAbove(state.gradNorm, gradNorm);
  if (rule === null || sigmas === null) return [];
  return [
    {
      rule: 'grad-norm-spike',
      subject: 'gradNorm',
      metric: 'gradNorm',
      verdict: above(sigmas, rule.sigmas),
      text: `gradient norm ${digits(gradNorm)} is ${sigmas.toFixed(1)} deviations above its average of ${digits(state.gradNorm.mean)}`,
      severity: 'warn',
      raiseAfter: 1,
      endAfter: END_AFTER_STEPS,
    },
  ];
}

function throughputDrop(
  state: AlertState,
  row: StepMetrics,
  { throughputDrop: rule }: Thresholds,
): Reading[] {
  const { count, mean } = state.throughput;
  if (rule === null || count < ENOUGH_STEPS) return [];
  const share = 1 - row.tokensPerSecond / mean;
  return [
    {
      rule: 'throughput-drop',
      subject: 'tokensPerSecond',
      metric: 'tokensPerSecond',
      verdict: above(share, rule.share),
      text: `${Math.round(row.tokensPerSecond)} tokens/s, ${Math.round(share * 100)} % below the ${Math.round(mean)} of before`,
      severity: 'warn',
      raiseAfter: rule.steps,
      endAfter: END_AFTER_STEPS,
    },
  ];
}

function dataLoading({ dataMs, stepMs }: StepMetrics, { dataLoading: rule }: Thresholds): Reading[] {
  if (rule === null || dataMs === undefined || stepMs <= 0) return [];
  const share = dataMs / stepMs;
  return [
    {
      rule: 'data-loading',
      subject: 'run',
      metric: 'dataMs',
      verdict: above(share, rule.share),
      text: `${Math.round(share * 100)} % of a step goes by with waiting for its tokens to be read`,
      severity: 'warn',
      raiseAfter: rule.steps,
      endAfter: END_AFTER_STEPS,
    },
  ];
}

function pausedQueue(sinceWallMs: number | null, look: Look, { pausedQueue: rule }: Thresholds): Reading[] {
  if (rule === null) return [];
  const pausedMs = sinceWallMs === null ? 0 : look.wallMs - sinceWallMs;
  const held = look.pausedQueues.map(({ name, waiting }) => `${waiting} in ${name}`).join(', ');
  return [
    {
      rule: 'paused-queue',
      subject: 'queues',
      verdict: pausedMs >= rule.ms ? 'bad' : 'good',
      text: `paused for ${Math.round(pausedMs / 60_000)} min while jobs wait: ${held}`,
      severity: 'warn',
      raiseAfter: 1,
      endAfter: 1,
    },
  ];
}

function stalled(state: AlertState, look: Look, { stalled: rule }: Thresholds): Reading[] {
  if (rule === null || state.lastStepWallMs === null) return [];
  const mayStep = look.phase === 'running' || look.phase === 'waiting' || look.phase === 'starting';
  const quietMs = look.wallMs - state.lastStepWallMs;
  const limitMs = Math.max(rule.medianSteps * medianOf(state.stepMs), rule.minMs);
  return [
    {
      rule: 'stalled',
      subject: 'run',
      verdict: mayStep && quietMs > limitMs ? 'bad' : 'good',
      text: `no step for ${Math.round(quietMs / 1000)} s; step ${state.step} was the last`,
      severity: 'error',
      raiseAfter: 1,
      endAfter: 1,
    },
  ];
}

function silent(look: Look, { workerSilent: rule }: Thresholds): Reading[] {
  if (rule === null) return [];
  return look.members.map(({ id, lastContactMs }) => ({
    rule: 'worker-silent',
    subject: id,
    worker: id,
    verdict: above(lastContactMs, rule.ms),
    text: `no contact with ${id} for ${Math.round(lastContactMs / 1000)} s`,
    severity: 'warn',
    raiseAfter: 1,
    endAfter: END_AFTER_LOOKS,
  }));
}

function stragglers(look: Look, { straggler: rule }: Thresholds): Reading[] {
  const timed = look.members.filter(({ slotMs }) => slotMs !== null);
  // Of two, neither can be told to be the slow one by a median; the mean of both hides it.
  if (rule === null || timed.length < 2) return [];
  const ascending = timed.map(({ slotMs }) => slotMs ?? 0).sort((a, b) => a - b);
  return timed.map(({ id, slotMs }) => {
    const ratio = (slotMs ?? 0) / Math.max(1e-6, medianWithout(ascending, slotMs ?? 0));
    return {
      rule: 'straggler',
      subject: id,
      worker: id,
      verdict: above(ratio, rule.ratio),
      text: `${id} takes ${ratio.toFixed(1)} times as long for a slot as the others`,
      severity: 'warn',
      raiseAfter: 10,
      endAfter: 5,
    } as const;
  });
}

function checkpointOverdue(
  state: AlertState,
  look: Look,
  { checkpointOverdue: rule }: Thresholds,
): Reading[] {
  if (rule === null) return [];
  const age = state.step + 1 - (look.checkpointStep ?? 0);
  return [
    {
      rule: 'checkpoint-overdue',
      subject: 'run',
      verdict: age > rule.intervals * look.checkpointEverySteps ? 'bad' : 'good',
      text: `the newest checkpoint is ${age} steps old; one is due every ${look.checkpointEverySteps}`,
      severity: 'warn',
      raiseAfter: 3,
      endAfter: 1,
    },
  ];
}

function diskLow({ freeBytes }: Look, { diskLow: rule }: Thresholds): Reading[] {
  if (rule === null || freeBytes === null) return [];
  const verdict =
    freeBytes < rule.freeBytes ? 'bad' : freeBytes * HYSTERESIS > rule.freeBytes ? 'good' : 'hold';
  return [
    {
      rule: 'disk-low',
      subject: 'disk',
      verdict,
      text: `${(freeBytes / GIB).toFixed(2)} GiB are left on the disk of the run's directory`,
      severity: 'error',
      raiseAfter: 1,
      endAfter: END_AFTER_LOOKS,
    },
  ];
}

function above(value: number, limit: number): Reading['verdict'] {
  if (value > limit) return 'bad';
  return value < limit * HYSTERESIS ? 'good' : 'hold';
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

/** The median of all values but one of those equal to `value`: one sort serves all workers. */
function medianWithout(ascending: readonly number[], value: number): number {
  const middle = (ascending.length - 1) >> 1;
  return ascending[ascending.indexOf(value) <= middle ? middle + 1 : middle] ?? 0;
}

function digits(value: number | null): string {
  return value === null ? 'not finite' : value.toPrecision(4);
}

function finiteOrNull(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
