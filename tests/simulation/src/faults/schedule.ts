// A schedule for a seed: the shape of the cluster, and the faults.
import type { AnomalyRules } from '@cria/ledger';
import { Rng } from '@cria/runtime';
import type { Comeback } from '../stores/fake-redis.js';
import type { Damage, Fault, FaultAction, When } from './fault.js';

export interface ClusterShape {
  readonly workers: number;
  readonly target: number;
  readonly coordinators: number;
  readonly slots: number;
  readonly numParts: number;
  readonly endStep: number;
  readonly checkpointEverySteps: number;
  readonly validationEverySteps: number;
  readonly workersMin: number;
  readonly anomalies: AnomalyRules | null;
  readonly onLoss: 'salvage' | 'discard';
  readonly recomputeFraction: number;
  /** Usual time of a slot, by worker. */
  readonly slotMs: readonly number[];
}

export interface Schedule {
  readonly shape: ClusterShape;
  readonly faults: readonly Fault[];
}

/** Faults begin within this time. */
const FAULTS_FROM_MS = 4000;
/** From here on all must come right. */
export const FAULTS_UNTIL_MS = 8000;

/** Every third step or so is out of the ordinary. */
const ANOMALIES: AnomalyRules = { nonFinite: 'skip', lossSpikeSigmas: 0.7, onSpike: 'skip' };

/** Names of points, each with how often a run reaches it, roughly. */
const EXCHANGE_POINTS = {
  'worker <- exchange': 30,
  exchanging: 30,
  'worker -> prepare': 20,
  'leader <- prepare': 20,
};
const COMMIT_POINTS = {
  appending: 10,
  'leader -> commit': 30,
  'worker <- commit': 25,
  applying: 20,
  'leader <- applied': 20,
};
const COMPUTE_POINTS = {
  'worker <- grant': 30,
  computing: 40,
  'worker -> slotDone': 40,
  'leader <- slotDone': 40,
};
const JOIN_POINTS = { 'leader <- hello': 8, 'leader -> welcome': 8, 'worker <- welcome': 8 };
const RARE_POINTS = { leads: 3, publishing: 3, 'worker <- store': 3, 'worker -> blocked': 3 };
const ALL_POINTS = {
  ...EXCHANGE_POINTS,
  ...COMMIT_POINTS,
  ...COMPUTE_POINTS,
  ...JOIN_POINTS,
  ...RARE_POINTS,
};

/** What kind of trouble a schedule is made of; weights of actions, and points that they are bound to. */
interface Profile {
  readonly faults: readonly [least: number, most: number];
  /** Of ten faults so many are bound to points. */
  readonly atPoints: number;
  readonly points: Readonly<Record<string, number>>;
  readonly actions: Readonly<Partial<Record<FaultAction['do'], number>>>;
  readonly atLeastWorkers: number;
  /** All workers are members, equally fast, and have slots in every step. */
  readonly isEven?: boolean;
  readonly damages?: readonly Damage[];
  readonly recomputeFraction?: number;
}

const EVERYTHING: Profile = {
  faults: [0, 7],
  atPoints: 5,
  points: ALL_POINTS,
  actions: {
    kill: 5,
    freeze: 3,
    redis: 1,
    'leader-and-redis': 1,
    partition: 1,
    isolate: 1,
    slow: 1,
    scale: 1,
    pause: 1,
    leave: 1,
  },
  atLeastWorkers: 1,
};

/** Workers die, stop and lag around exchanges and commits. */
const EXCHANGES: Profile = {
  faults: [3, 12],
  atPoints: 8,
  points: { ...EXCHANGE_POINTS, ...COMMIT_POINTS },
  actions: { kill: 4, freeze: 2, slow: 3, isolate: 1, partition: 2, leave: 1 },
  atLeastWorkers: 3,
};

/** Leaders and Redis come and go. */
const LEADERS: Profile = {
  faults: [2, 9],
  atPoints: 4,
  points: { ...COMMIT_POINTS, ...RARE_POINTS, ...JOIN_POINTS, 'leader <- prepare': 20 },
  actions: {
    ...{ kill: 2, freeze: 2, redis: 4, 'leader-and-redis': 3, partition: 2, isolate: 1, slow: 1 },
    ...{ leave: 1, 'damage-checkpoint': 1 },
  },
  atLeastWorkers: 1,
};

/** Workers join, leave and are sent away, people change their minds. */
const JOINS: Profile = {
  faults: [2, 10],
  atPoints: 5,
  points: { ...JOIN_POINTS, ...COMMIT_POINTS, ...RARE_POINTS },
  actions: { kill: 3, scale: 4, leave: 3, pause: 1, slow: 2, freeze: 1 },
  atLeastWorkers: 2,
};

/** Memory fails, in one worker of several; nothing else does, or there might be nobody to compare with. */
const FLIPS: Profile = {
  faults: [1, 2],
  atPoints: 5,
  points: { ...EXCHANGE_POINTS, ...COMMIT_POINTS, ...COMPUTE_POINTS },
  actions: { flip: 1 },
  damages: ['state', 'state', 'accumulator'],
  atLeastWorkers: 2,
  isEven: true,
};

/** The optimizer's update comes out wrong, once: found only by comparing with others. */
const SLIPS: Profile = { ...FLIPS, faults: [1, 1], damages: ['update'] };

/** A slot's gradient comes out wrong, with digests that fit: found only by computing it twice. */
const SPARES: Profile = { ...SLIPS, damages: ['slot'], recomputeFraction: 1 };

const PROFILES = [EVERYTHING, EXCHANGES, LEADERS, JOINS, FLIPS, SLIPS, SPARES];

export function scheduleOf(seed: number): Schedule {
  const rng = new Rng(seed, 3);
  const profile = pick(rng, PROFILES);
  const workers = Math.max(profile.atLeastWorkers, 1 + rng.below(4));
  const isEven = profile.isEven === true;
  const target = isEven ? workers : Math.max(1, workers - (rng.below(4) === 0 ? 1 : 0));
  const shape: ClusterShape = {
    ...{ workers, target },
    coordinators: 1 + rng.below(3),
    slots: isEven ? 2 * workers : 2 + rng.below(5),
    numParts: 2 + rng.below(2),
    endStep: 4 + rng.below(8),
    checkpointEverySteps: 2 + rng.below(4),
    validationEverySteps: rng.below(2) === 0 ? 0 : 2 + rng.below(3),
    workersMin: rng.below(5) === 0 ? Math.min(2, target) : 1,
    anomalies: rng.below(3) === 0 ? ANOMALIES : null,
    onLoss: rng.below(8) === 0 ? 'discard' : 'salvage',
    recomputeFraction: profile.recomputeFraction ?? pick(rng, [0, 0, 0.2, 1]),
    slotMs: Array.from({ length: workers }, () => (isEven ? 30 : 10 + rng.below(60))),
  };
  const [least, most] = profile.faults;
  const count = least + rng.below(most - least + 1);
  return { shape, faults: Array.from({ length: count }, () => faultOf(rng, profile, shape)) };
}

function faultOf(rng: Rng, profile: Profile, shape: ClusterShape): Fault {
  const isBound = rng.below(10) < profile.atPoints;
  const [point, often] = pick(rng, Object.entries(profile.points));
  const when: When = isBound ? { point, count: 1 + rng.below(often) } : { ms: rng.below(FAULTS_FROM_MS) };
  return {
    when,
    action: actionOf(rng, weighted(rng, profile.actions), {
      shape,
      isBound,
      damages: profile.damages ?? ['state'],
    }),
  };
}

function actionOf(
  rng: Rng,
  kind: FaultAction['do'],
  { shape, isBound, damages }: { shape: ClusterShape; isBound: boolean; damages: readonly Damage[] },
): FaultAction {
  const worker = `w${rng.below(shape.workers)}`;
  const coordinator = `c${rng.below(shape.coordinators)}`;
  const who = isBound && rng.below(4) > 0 ? 'hit' : pick(rng, [worker, worker, 'leader']);
  const host = pick(rng, [worker, worker, coordinator, 'redis']);
  const other = pick(rng, [`w${rng.below(shape.workers)}`, coordinator, 'redis', '*']);
  const forMs = 100 + rng.below(3500);
  const comeback = pick<Comeback>(rng, ['all', 'empty', 'dump']);
  const downMs = 20 + rng.below(2000);
  switch (kind) {
    case 'kill':
      return { do: 'kill', who };
    case 'freeze':
      return { do: 'freeze', who, forMs };
    case 'leader-and-redis':
      // Sometimes the coordinators' disk goes with them.
      return comeback === 'empty' && downMs % 2 === 1
        ? { do: 'all-but-workers', downMs }
        : { do: kind, comeback, downMs };
    case 'redis':
      return { do: kind, comeback, downMs };
    case 'partition':
      return rng.below(2) === 0
        ? { do: kind, from: host, to: other, forMs }
        : { do: kind, from: other, to: host, forMs };
    case 'isolate':
      return { do: kind, host, forMs };
    case 'slow':
      return { do: kind, host, forMs, addMs: 20 + rng.below(400) };
    case 'scale':
      return { do: kind, target: Math.max(shape.workersMin, 1 + rng.below(shape.workers)) };
    case 'pause':
      return { do: kind, forMs };
    case 'leave':
      return { do: kind, who: rng.below(4) === 0 ? 'leader' : worker };
    case 'damage-checkpoint':
      return { do: kind };
    case 'all-but-workers':
      return { do: kind, downMs };
    case 'flip':
      return {
        ...{ do: kind, who: worker, part: rng.below(shape.numParts) },
        where: pick(rng, damages),
      };
  }
}

function pick<T>(rng: Rng, items: readonly T[]): T {
  return items[rng.below(items.length)] as T;
}

function weighted(rng: Rng, weights: Profile['actions']): FaultAction['do'] {
  const all = Object.entries(weights) as Array<[FaultAction['do'], number]>;
  let left = rng.below(all.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [kind, weight] of all) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'kill';
}
