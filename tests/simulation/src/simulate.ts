// One simulated run: a cluster by seed, its faults, and what came of it.
import type { LedgerEntry } from '@cria/ledger';
import type { LeaderRules } from '@cria/coordinator/decide/leader-state';
import type { Cluster, Timeouts } from './cluster.js';
import { addressOf, CoordinatorPlace } from './coordinator/coordinator-place.js';
import { FAULTS_UNTIL_MS, scheduleOf, type ClusterShape, type Schedule } from './faults/schedule.js';
import { Injector } from './faults/injector.js';
import type { Fault } from './faults/fault.js';
import { Invariants } from './invariants.js';
import { GENESIS } from './model/mathematics.js';
import { Oracle } from './model/oracle.js';
import type { Mutants } from './mutants.js';
import { Durable } from './stores/durable.js';
import { FakeRedis } from './stores/fake-redis.js';
import { WorkerPlace } from './worker/worker-place.js';
import { ViolationFound, type Violation } from './world/violation.js';
import { World } from './world/world.js';

export interface SimulateOptions {
  readonly seed: number;
  /** Instead of the seed's own. */
  readonly faults?: readonly Fault[];
  /** Where the cluster is to be another than the seed's. */
  readonly shape?: Partial<ClusterShape>;
  readonly mutants?: Mutants;
  readonly trace?: (line: string) => void;
}

export interface SimulationResult {
  readonly seed: number;
  readonly schedule: Schedule;
  readonly violation: Violation | null;
  /** How the run ended: finished, or stopped by the rule for poison slots. */
  readonly ending: string;
  readonly events: number;
  readonly virtualMs: number;
  /** Notes of leaders, by kind. */
  readonly notes: ReadonlyMap<string, number>;
  /** Verdicts of the ledger that was written last. */
  readonly verdicts: ReadonlySet<string>;
  /** The longest time without progress once nothing went wrong any more. */
  readonly stallMs: number;
}

/** How long a run may take when nothing goes wrong any more. */
const SETTLE_MS = 60_000;

const TIMEOUTS: Timeouts = { heartbeatMs: 200, suspectMs: 1200, leaseMs: 1000, skewMs: 100, seatMs: 3000 };

export function simulate(options: SimulateOptions): SimulationResult {
  const { seed, mutants = {}, trace = null } = options;
  const own = scheduleOf(seed);
  const schedule = { shape: { ...own.shape, ...options.shape }, faults: options.faults ?? own.faults };
  const world = new World({ seed, trace });
  let ending = '';
  let violation: Violation | null = null;
  let invariants: Invariants | null = null;
  let written: Durable | null = null;
  try {
    const cluster = clusterOf(world, schedule, mutants, (how, reason) => {
      ending = reason === '' ? how : `${how}: ${reason}`;
      world.end();
    });
    invariants = cluster.invariants;
    written = cluster.durable;
    begin(cluster, schedule);
    if (!world.run(FAULTS_UNTIL_MS + SETTLE_MS)) world.violation('I11', whatIsMissing(cluster));
    cluster.invariants.progressed();
    checkEnd(cluster, schedule.shape, ending);
  } catch (error) {
    violation =
      error instanceof ViolationFound
        ? error.violation
        : {
            rule: 'crash',
            atMs: world.nowMs,
            text: error instanceof Error ? (error.stack ?? error.message) : String(error),
          };
  }
  return {
    seed,
    schedule,
    violation,
    ending,
    events: world.events,
    virtualMs: world.nowMs,
    notes: invariants?.notes ?? new Map(),
    verdicts: new Set(written?.ledger.entries.map((entry) => entry.math.verdict)),
    stallMs: invariants?.stallMs ?? 0,
  };
}

function clusterOf(
  world: World,
  { shape }: Schedule,
  mutants: Mutants,
  onEnded: (ending: string, reason: string) => void,
): Cluster {
  const { slots, numParts, anomalies } = shape;
  const oracle = new Oracle({ slots, numParts, anomalies });
  return {
    ...{ world, oracle, mutants, onEnded },
    redis: new FakeRedis(world, mutants),
    durable: new Durable(),
    invariants: new Invariants(world, oracle),
    rules: rulesOf(shape),
    timeouts: TIMEOUTS,
    coordinators: new Map(),
    peers: new Map(),
    coordinatorAddresses: Array.from({ length: shape.coordinators }, (_, i) => addressOf(`c${i}`)),
    initialTarget: shape.target,
  };
}

function rulesOf(shape: ClusterShape): LeaderRules {
  const { slots, numParts, endStep, checkpointEverySteps, validationEverySteps, workersMin, onLoss } = shape;
  return {
    ...{ runId: 'run', genesis: GENESIS, fingerprint: 'plain', slots, numParts, endStep, workersMin },
    heartbeatMs: TIMEOUTS.heartbeatMs,
    suspectMs: TIMEOUTS.suspectMs,
    gatherMs: 600,
    blockedMs: 200,
    seatMs: TIMEOUTS.seatMs,
    startWaitMs: 1000,
    releaseLeastMs: 0,
    ...{ checkpointEverySteps, validationEverySteps, validationSequences: 3 },
    onLoss,
    recomputeFraction: shape.recomputeFraction,
  };
}

function begin(cluster: Cluster, { shape, faults }: Schedule): void {
  const coordinators = Array.from(
    { length: shape.coordinators },
    (_, i) => new CoordinatorPlace(cluster, `c${i}`),
  );
  const workers = shape.slotMs.map((slotMs, i) => new WorkerPlace(cluster, `w${i}`, slotMs));
  for (const place of [...coordinators, ...workers]) place.start();
  new Injector(cluster, { workers, coordinators }).start(faults);
}

function checkEnd({ world, durable, oracle }: Cluster, { endStep }: ClusterShape, ending: string): void {
  // Three deaths of a slot's holder within a step end a run, by rule; schedules contain as many at times.
  if (ending.includes('three workers when they died')) return;
  if (ending.includes('rule for anomalies') && stepsRightly(durable.ledger.entries, oracle)) return;
  if (ending !== 'finished') world.violation('I11', `the run ended: ${ending}`);
  const last = durable.newest();
  const isRight = last?.step === endStep && last.stateDigest === oracle.step(endStep).stateDigest;
  if (!isRight)
    world.violation('I9', `the run finished with checkpoint ${last?.step} (${last?.stateDigest})`);
}

/** The run was stopped where the undisturbed one would have been. */
function stepsRightly(entries: readonly LedgerEntry[], oracle: Oracle): boolean {
  const newest = entries.at(-1);
  return newest?.math.verdict === 'stop' && oracle.step(newest.math.step).math.verdict === 'stop';
}

function whatIsMissing({ durable, invariants, redis }: Cluster): string {
  const workers = [...invariants.sessions].map(
    ([worker, { state }]) =>
      `${worker} at ${state.position} (${state.phase}, ${state.welcomed ? 'welcomed' : 'not welcomed'})`,
  );
  const head = redis.data.head?.step ?? -1;
  return `no end in time: Redis' head ${head}, newest checkpoint ${durable.newest()?.step ?? 'none'}, ${workers.join(', ')}`;
}
