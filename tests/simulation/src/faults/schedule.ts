// A schedule for a seed: the shape of the cluster, and the faults.
import { Rng } from '@cria/runtime';
import type { Fault, FaultAction, When } from './fault.js';

export interface ClusterShape {
  readonly workers: number;
  readonly target: number;
  readonly coordinators: number;
  readonly slots: number;
  readonly numParts: number;
  readonly endStep: number;
  readonly checkpointEverySteps: number;
  readonly validationEverySteps: number;
  /** Usual time of a slot, by worker. */
  readonly slotMs: readonly number[];
}

export interface Schedule {
  readonly shape: ClusterShape;
  readonly faults: readonly Fault[];
}

/** Faults happen within this time; afterwards all must come right. */
export const FAULTS_UNTIL_MS = 8000;

const POINTS = [
  ...['welcome', 'grant', 'exchange', 'commit', 'store'].map((kind) => `worker <- ${kind}`),
  ...['slotDone', 'prepare', 'applied', 'blocked'].map((kind) => `worker -> ${kind}`),
  ...['hello', 'slotDone', 'prepare', 'applied'].map((kind) => `leader <- ${kind}`),
  ...['welcome', 'exchange', 'commit'].map((kind) => `leader -> ${kind}`),
  ...['computing', 'exchanging', 'applying', 'appending', 'publishing', 'leads'],
];

/** How often a point is reached in a run, roughly. */
const POINT_COUNT = 30;
const RARE_POINTS = new Set([
  'leads',
  'publishing',
  'worker <- store',
  'worker -> blocked',
  'leader <- hello',
]);

export function scheduleOf(seed: number): Schedule {
  const rng = new Rng(seed, 3);
  const workers = 1 + rng.below(4);
  const shape: ClusterShape = {
    workers,
    target: Math.max(1, workers - (rng.below(4) === 0 ? 1 : 0)),
    coordinators: 1 + rng.below(3),
    slots: 2 + rng.below(5),
    numParts: 2 + rng.below(2),
    endStep: 4 + rng.below(8),
    checkpointEverySteps: 2 + rng.below(4),
    validationEverySteps: rng.below(2) === 0 ? 0 : 2 + rng.below(3),
    slotMs: Array.from({ length: workers }, () => 10 + rng.below(60)),
  };
  const count = rng.below(3) === 0 ? rng.below(3) : 1 + rng.below(7);
  const faults = Array.from({ length: count }, () => faultOf(rng, shape));
  return { shape, faults };
}

function faultOf(rng: Rng, shape: ClusterShape): Fault {
  if (rng.below(2) === 0) return atPoint(rng);
  return { when: { ms: rng.below(FAULTS_UNTIL_MS / 2) }, action: actionOf(rng, shape) };
}

function atPoint(rng: Rng): Fault {
  const point = POINTS[rng.below(POINTS.length)] ?? 'computing';
  const when: When = { point, count: 1 + rng.below(RARE_POINTS.has(point) ? 4 : POINT_COUNT) };
  const kind = rng.below(10);
  if (kind < 6) return { when, action: { do: 'kill', who: 'hit' } };
  if (kind < 8) return { when, action: { do: 'freeze', who: 'hit', forMs: 200 + rng.below(3500) } };
  if (kind < 9)
    return { when, action: { do: 'redis', comeback: comebackOf(rng), downMs: 20 + rng.below(1500) } };
  return { when, action: { do: 'kill', who: 'leader' } };
}

function actionOf(rng: Rng, shape: ClusterShape): FaultAction {
  const worker = `w${rng.below(shape.workers)}`;
  const anyHost = [worker, worker, `c${rng.below(shape.coordinators)}`, 'redis', '*'][rng.below(5)] ?? worker;
  const otherHost =
    [`w${rng.below(shape.workers)}`, `c${rng.below(shape.coordinators)}`, 'redis', '*'][rng.below(4)] ?? '*';
  const forMs = 100 + rng.below(3500);
  switch (rng.below(12)) {
    case 0:
    case 1:
      return { do: 'kill', who: worker };
    case 2:
      return { do: 'kill', who: 'leader' };
    case 3:
      return { do: 'freeze', who: worker, forMs };
    case 4:
      return { do: 'freeze', who: 'leader', forMs };
    case 5:
      return { do: 'redis', comeback: comebackOf(rng), downMs: 20 + rng.below(2500) };
    case 6:
      return { do: 'leader-and-redis', comeback: comebackOf(rng), downMs: 20 + rng.below(1500) };
    case 7:
      return { do: 'partition', from: anyHost, to: otherHost, forMs };
    case 8:
      return { do: 'isolate', host: anyHost === '*' ? worker : anyHost, forMs };
    case 9:
      return { do: 'slow', host: anyHost === '*' ? worker : anyHost, forMs, addMs: 20 + rng.below(400) };
    case 10:
      return rng.below(2) === 0
        ? { do: 'scale', target: 1 + rng.below(shape.workers) }
        : { do: 'pause', forMs };
    default:
      return { do: 'leave', who: worker };
  }
}

function comebackOf(rng: Rng): 'all' | 'empty' | 'dump' {
  return (['all', 'empty', 'dump'] as const)[rng.below(3)] ?? 'all';
}
