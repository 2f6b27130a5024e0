// A leader under test: its own clock, events with plausible facts, and what it did.
import { workerId, type WorkerId } from '@cria/runtime';
import type { HelloFacts, LeaderEffect, LeaderEvent } from './leader-events.js';
import { decideLeader } from './leader.js';
import {
  newLeaderState,
  type LeaderRules,
  type EntryDigests,
  type LeaderState,
  type PreparedGradient,
  type SlotFacts,
} from './leader-state.js';

export const RULES: LeaderRules = {
  runId: 'run',
  genesis: 'genesis',
  fingerprint: 'engine',
  slots: 4,
  numParts: 6,
  endStep: 100,
  workersMin: 1,
  heartbeatMs: 500,
  suspectMs: 3000,
  gatherMs: 1500,
  blockedMs: 500,
  seatMs: 30_000,
  startWaitMs: 30_000,
  releaseLeastMs: 0,
  checkpointEverySteps: 50,
  validationEverySteps: 0,
  validationSequences: 0,
  onLoss: 'salvage',
  recomputeFraction: 0,
};

export const A = workerId('a');
export const B = workerId('b');
export const C = workerId('c');

/** A leader with its own clock; effects of the last event, and all of them. */
export class Bench {
  readonly state: LeaderState;
  nowMs = 1000;
  last: readonly LeaderEffect[] = [];

  constructor(
    options: { rules?: Partial<LeaderRules>; target?: number; head?: number; manifestStep?: number } = {},
  ) {
    const head = options.head ?? 0;
    this.state = newLeaderState({
      rules: { ...RULES, ...options.rules },
      term: { number: 3, leader: 'c1' },
      nowMs: this.nowMs,
      head,
      lastMembers: [],
      entries: new Map(Array.from({ length: head }, (_, step) => [step, entryOf(step)])),
      manifestStep: options.manifestStep ?? null,
      desired: { revision: 1, target: options.target ?? 2, paused: false, stop: false },
    });
  }

  on(event: LeaderEvent, afterMs = 0): this {
    this.nowMs += afterMs;
    this.last = decideLeader(this.nowMs, this.state, event);
    return this;
  }

  hello(worker: WorkerId, facts: Partial<HelloFacts> = {}): this {
    return this.on({ kind: 'hello', hello: helloOf(worker, facts) }, 1);
  }

  done(worker: WorkerId, slot: number, change: Partial<SlotFacts> = {}, step = this.state.next): this {
    const facts = { computeMs: 100, flagged: false, digest: `d${slot}`, ...change };
    return this.on({ kind: 'slot-done', worker, step, slot, spare: false, ...facts }, 1);
  }

  prepared(worker: WorkerId, change: Partial<PreparedGradient> = {}): this {
    const mark = { termNumber: 3, attempt: this.state.attempt };
    const gradient = gradientOf(this.state.next, { mark, ...change });
    return this.on({ kind: 'prepared', worker, attempt: this.state.attempt, gradient }, 1);
  }

  applied(worker: WorkerId, stateDigest: string, step = this.state.next): this {
    return this.on({ kind: 'applied', worker, step, stateDigest }, 1);
  }

  appended(step = this.state.next): this {
    const outcome = { kind: 'committed', entry: entryOf(step), verdict: 'use', replayed: false } as const;
    return this.on({ kind: 'appended', step, outcome }, 1);
  }

  did<Name extends LeaderEffect['do']>(name: Name): Array<Extract<LeaderEffect, { do: Name }>> {
    return this.last.filter((effect): effect is Extract<LeaderEffect, { do: Name }> => effect.do === name);
  }

  spare(worker: WorkerId, slot: number, digest = `d${slot}`): this {
    const facts = { step: this.state.next, slot, computeMs: 100, flagged: false, digest };
    return this.on({ kind: 'slot-done', worker, spare: true, ...facts }, 1);
  }

  sparesGranted(): Array<readonly [worker: WorkerId, slot: number]> {
    return this.did('grant').flatMap(({ worker, spares }) => spares.map((slot) => [worker, slot] as const));
  }

  slotsGrantedTo(worker: WorkerId): number[] {
    return this.did('grant').flatMap((effect) => (effect.worker === worker ? [...effect.slots] : []));
  }
}

export function entryOf(step: number): EntryDigests {
  return { gradDigest: `g${step}`, mathHash: `m${step}`, stateDigest: `s${step}` };
}

export function helloOf(worker: WorkerId, facts: Partial<HelloFacts>): HelloFacts {
  return {
    worker,
    address: `${worker}:1`,
    device: 'cpu',
    host: 'h',
    pid: 1,
    runId: 'run',
    genesis: 'genesis',
    fingerprint: 'engine',
    position: 0,
    empty: true,
    stateDigest: facts.empty === false ? `s${facts.position ?? 0}` : '',
    mathHash: (facts.position ?? 0) === 0 ? 'genesis' : `m${(facts.position ?? 0) - 1}`,
    has: [],
    running: [],
    spares: [],
    reduced: null,
    newestVoid: null,
    entriesFirst: 0,
    entriesEnd: 0,
    termNumber: 0,
    termLeader: '',
    seat: '',
    ...facts,
  };
}

export function gradientOf(step: number, change: Partial<PreparedGradient>): PreparedGradient {
  const same = {
    gradDigest: `g${step}`,
    gradNormBits: 'n',
    stateDigest: `s${step}`,
    report: new Uint8Array(),
    slotFacts: (slot: number) => ({ flagged: false, digest: `d${slot}` }),
  };
  return { step, mark: { termNumber: 3, attempt: 1 }, ...same, ...change };
}

/** Two members; every slot of step 0 granted: 0 and 2 to a, 1 and 3 to b. */
export function twoAtWork(): Bench {
  return new Bench().hello(A).hello(B);
}
