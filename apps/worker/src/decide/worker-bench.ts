import type { Commit, Exchange, FromLeader } from '@cria/protocol';
import type { WorkerEffect, WorkerEvent } from './worker-events.js';
import { decideWorker } from './worker.js';
import { newWorkerState, type EntryFacts, type PreparedGradient, type WorkerState } from './worker-state.js';

export type LeaderMessage = NonNullable<FromLeader['message']>;

export const TERM = { number: 3, leader: 'c1' };
export const IDENTITY = {
  ...{ protocolVersion: 1, runId: 'run', genesis: 'genesis', fingerprint: 'engine', worker: 'me' },
  ...{ address: 'a', device: 'cpu', host: 'h', pid: 1, version: '', threads: 1, seat: '' },
};
export const STATS = { bytesReceived: 0, bytesSent: 0, waitMs: 0, exchangeMs: 0, memoryBytes: 0 };

/** A worker under test: plain events, and what it did. */
export class Bench {
  readonly state: WorkerState = newWorkerState('me', 'genesis');
  last: readonly WorkerEffect[] = [];

  on(event: WorkerEvent): this {
    this.last = decideWorker(this.state, event);
    return this;
  }

  hears(message: LeaderMessage, entry: EntryFacts | null = null): this {
    return this.on({ kind: 'message', message, entry });
  }

  /** A member with state[0], connected. */
  member(): this {
    this.on({ kind: 'connected' }).welcome(1);
    return this.on({ kind: 'state-ready', position: 0, mathHash: 'genesis', stateDigest: 's0' });
  }

  welcome(role: 1 | 2 | 3 | 4, change: { step?: number; keep?: number[] } = {}): this {
    const base = { runId: 'run', term: TERM, role, step: 0, keep: [], donors: [], coordinators: [] };
    return this.hears({
      $case: 'welcome',
      value: { ...base, mathHash: 'genesis', stateDigest: '', ...change },
    });
  }

  grant(slots: number[], step = this.state.position, term = TERM): this {
    const granted = slots.map((slot) => ({ slot, tokens: Buffer.alloc(2), spare: false }));
    return this.hears({ $case: 'grant', value: { term, step, slots: granted } });
  }

  spareGrant(slots: number[]): this {
    const granted = slots.map((slot) => ({ slot, tokens: Buffer.alloc(2), spare: true }));
    return this.hears({ $case: 'grant', value: { term: TERM, step: this.state.position, slots: granted } });
  }

  computed(slot: number, generation = this.state.generation, spare = false): this {
    const done = {
      step: this.state.position,
      slot,
      digests: Buffer.alloc(0),
      flagged: false,
      lossBits: 0,
      spare,
      computeMs: 1,
    };
    return this.on({ kind: 'slot-computed', generation, done });
  }

  exchange(attempt: number, slots: number[], change: Partial<Exchange> = {}): this {
    const sets = [
      { worker: 'me', address: 'a', slots },
      { worker: 'other', address: 'b', slots: [9] },
    ];
    const base = { term: TERM, step: this.state.position, attempt, sets, from: [], void: false };
    return this.hears({ $case: 'exchange', value: { ...base, ...change } });
  }

  reduced(attempt: number, step = this.state.position): this {
    return this.on({ kind: 'reduced', term: TERM, attempt, gradient: gradientOf(step), stats: STATS });
  }

  commit(step = this.state.position, entry: Partial<EntryFacts> = {}): this {
    const value: Commit = { term: TERM, entry: `entry ${step}`, checkpoint: [] };
    const facts: EntryFacts = {
      step,
      mathHash: `m${step}`,
      gradDigest: `g${step}`,
      followsFrom: () => true,
      ...entry,
    };
    return this.hears({ $case: 'commit', value }, facts);
  }

  applied(): this {
    return this.on({ kind: 'applied', position: this.state.position + 1, stateDigest: 'next' });
  }

  does(): string[] {
    return this.last.map((effect) => (effect.do === 'send' ? `send ${effect.message.$case}` : effect.do));
  }
}

export function gradientOf(step: number): PreparedGradient {
  return {
    step,
    gradDigest: `g${step}`,
    gradNormBits: 'n',
    stateDigest: `s${step}`,
    report: new Uint8Array(),
  };
}
