// Carries out a schedule's faults.
import type { Desired } from '@cria/coordinator/decide/leader-state';
import type { Cluster } from '../cluster.js';
import type { CoordinatorPlace } from '../coordinator/coordinator-place.js';
import type { WorkerPlace } from '../worker/worker-place.js';
import type { SimProcess } from '../world/process.js';
import { describeFault, type Fault, type FaultAction } from './fault.js';

export interface Targets {
  readonly workers: readonly WorkerPlace[];
  readonly coordinators: readonly CoordinatorPlace[];
}

const PEOPLE_LOOK_EVERY_MS = 500;

export class Injector {
  readonly #cluster: Cluster;
  readonly #targets: Targets;
  /** What people want; they repeat it until the run does it. */
  #wish: Partial<Desired> = {};

  constructor(cluster: Cluster, targets: Targets) {
    this.#cluster = cluster;
    this.#targets = targets;
  }

  start(faults: readonly Fault[]): void {
    const { world } = this.#cluster;
    for (const fault of faults) {
      if ('ms' in fault.when) world.at(fault.when.ms, () => this.#inject(fault, ''));
    }
    world.onMark((point, count, who) => {
      for (const fault of faults) {
        const { when } = fault;
        const isDue = 'point' in when && when.point === point && when.count === count;
        // After the event in which the point was reached: a process dies between two instructions, not within one.
        if (isDue) world.at(world.nowMs, () => this.#inject(fault, who));
      }
    });
    this.#lookAfterWishes();
  }

  #inject(fault: Fault, hit: string): void {
    const { world, redis } = this.#cluster;
    const { action } = fault;
    world.log('fault', () => `${describeFault(fault)} ${hit}`);
    this.#cluster.invariants.disturbed(world.nowMs + durationOf(action));
    switch (action.do) {
      case 'kill':
        return this.#process(action.who, hit)?.kill();
      case 'freeze': {
        const process = this.#process(action.who, hit);
        process?.stop();
        world.at(world.nowMs + action.forMs, () => process?.continue());
        return;
      }
      case 'redis':
        return redis.die(action.comeback, action.downMs);
      case 'leader-and-redis':
        this.#process('leader', hit)?.kill();
        return redis.die(action.comeback, action.downMs);
      case 'all-but-workers':
        this.#process('leader', hit)?.kill();
        this.#cluster.durable.loseLedger();
        return redis.die('empty', action.downMs);
      case 'partition':
        return world.network.partition(action.from, action.to, world.nowMs + action.forMs);
      case 'isolate':
        world.network.partition(action.host, '*', world.nowMs + action.forMs);
        return world.network.partition('*', action.host, world.nowMs + action.forMs);
      case 'slow':
        return world.network.slow(action.host, world.nowMs + action.forMs, action.addMs);
      case 'scale':
        this.#wish = { ...this.#wish, target: action.target };
        return this.#repeatWish();
      case 'pause':
        this.#wish = { ...this.#wish, paused: true };
        world.at(world.nowMs + action.forMs, () => {
          this.#wish = { ...this.#wish, paused: false };
          this.#repeatWish();
        });
        return this.#repeatWish();
      case 'leave':
        return this.#place(action.who, hit)?.leave();
      case 'damage-checkpoint':
        // Whoever leads next looks at the checkpoints anew.
        // Nobody is left to write the last one again.
        if (this.#cluster.durable.newest()?.step === this.#cluster.rules.endStep) return;
        this.#cluster.durable.damageNewest();
        return this.#process('leader', hit)?.kill();
      case 'flip':
        return this.#targets.workers
          .find((place) => place.name === action.who)
          ?.flip(action.where, action.part);
    }
  }

  #place(who: string, hit: string): WorkerPlace | CoordinatorPlace | undefined {
    const { workers, coordinators } = this.#targets;
    if (who === 'leader') return coordinators.find((place) => place.leads);
    const id = who === 'hit' ? hit : who;
    return [...workers, ...coordinators].find((place) => place.name === id || place.process.id === id);
  }

  #process(who: string, hit: string): SimProcess | undefined {
    return this.#place(who, hit)?.process;
  }

  #lookAfterWishes(): void {
    const { world } = this.#cluster;
    world.at(world.nowMs + PEOPLE_LOOK_EVERY_MS, () => {
      this.#repeatWish();
      this.#lookAfterWishes();
    });
  }

  #repeatWish(): void {
    const { redis, world } = this.#cluster;
    const before = redis.data.desired;
    if (!redis.process.alive || before === null) return;
    const after = { ...before, ...this.#wish };
    if (after.target === before.target && after.paused === before.paused) return;
    redis.data.desired = { ...after, revision: before.revision + 1 };
    world.log('people', () => `want ${JSON.stringify(redis.data.desired)}`);
    redis.publish('desired');
  }
}

/** How long it lasts; what is over at once has no duration. */
function durationOf(action: FaultAction): number {
  if ('forMs' in action) return action.forMs;
  return 'downMs' in action ? action.downMs : 0;
}
