// What Redis holds of the run, and its Lua scripts rule by rule (libs/queue/src/lua).
import type { LedgerEntry } from '@cria/ledger';
import type { Desired } from '@cria/coordinator/decide/leader-state';

export interface SimTerm {
  readonly number: number;
  readonly leader: string;
}

export interface LeaseHolder extends SimTerm {
  /** The holder's control address. */
  readonly address: string;
}

export interface TailHead {
  readonly step: number;
  readonly mathHash: string;
}

export type AppendResult =
  | { readonly kind: 'ok' }
  | { readonly kind: 'have'; readonly entry: LedgerEntry | null }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'behind' }
  | { readonly kind: 'mismatch'; readonly head: TailHead };

export type RefillResult = 'ok' | 'fenced' | 'ahead' | 'mismatch';

/** Faults that are built in to see whether the simulator finds them. */
export interface RedisMutants {
  /** The scripts do not ask whose lease it is. */
  readonly noFence?: boolean;
  /** Append does not ask whether the step is the next one. */
  readonly noNextStep?: boolean;
}

/** The scripts; `nowMs` is the server's clock. */
export class RedisData {
  readonly #mutants: RedisMutants;
  #lease: (LeaseHolder & { readonly expiresMs: number }) | null = null;
  #term = 0;
  #head: TailHead | null = null;
  #ledger = new Map<number, LedgerEntry>();
  desired: Desired | null = null;
  /** Ids of waiting invitations; takers pop the last. */
  waiting: string[] = [];
  /** Taken invitations with the end of their lock. */
  active = new Map<string, number>();

  constructor(mutants: RedisMutants) {
    this.#mutants = mutants;
  }

  copy(): RedisData {
    const copy = new RedisData(this.#mutants);
    copy.#lease = this.#lease;
    copy.#term = this.#term;
    copy.#head = this.#head;
    copy.#ledger = new Map(this.#ledger);
    copy.desired = this.desired;
    copy.waiting = [...this.waiting];
    copy.active = new Map(this.active);
    return copy;
  }

  holder(nowMs: number): LeaseHolder | null {
    if (this.#lease !== null && this.#lease.expiresMs <= nowMs) this.#lease = null;
    return this.#lease;
  }

  get head(): TailHead | null {
    return this.#head;
  }

  entries(): LedgerEntry[] {
    return [...this.#ledger.values()].sort((a, b) => a.math.step - b.math.step);
  }

  acquire(nowMs: number, leader: string, at: { address: string; leaseMs: number }): SimTerm | LeaseHolder {
    const held = this.holder(nowMs);
    if (held !== null && held.leader !== leader) return held;
    const number = Math.max(this.#term, held?.number ?? 0) + 1;
    this.#term = number;
    this.#lease = { number, leader, address: at.address, expiresMs: nowMs + at.leaseMs };
    return { number, leader };
  }

  renew(nowMs: number, term: SimTerm, leaseMs: number): boolean {
    if (!this.#isHeldBy(nowMs, term)) return false;
    this.#lease = { ...(this.#lease as LeaseHolder), expiresMs: nowMs + leaseMs };
    return true;
  }

  release(nowMs: number, term: SimTerm): void {
    if (this.#isHeldBy(nowMs, term)) this.#lease = null;
  }

  /** @returns the number that the lease now has, or null when it is not this leader's */
  raiseTerm(nowMs: number, term: SimTerm, atLeast: number): number | null {
    const held = this.holder(nowMs);
    if (held === null || held.leader !== term.leader || held.number < term.number) return null;
    if (held.number > atLeast) return held.number;
    const number = Math.max(this.#term, atLeast) + 1;
    this.#term = number;
    this.#lease = { ...(this.#lease as LeaseHolder & { expiresMs: number }), number };
    return number;
  }

  append(nowMs: number, term: SimTerm, entry: LedgerEntry, prevMathHash: string): AppendResult {
    if (!this.#mutants.noFence && !this.#isHeldBy(nowMs, term)) return { kind: 'fenced' };
    const head = this.#head;
    if (head === null) return { kind: 'behind' };
    const { step } = entry.math;
    if (!this.#mutants.noNextStep) {
      if (step <= head.step) return { kind: 'have', entry: this.#ledger.get(step) ?? null };
      if (step > head.step + 1) return { kind: 'behind' };
      if (head.mathHash !== prevMathHash) return { kind: 'mismatch', head };
    }
    this.#ledger.set(step, entry);
    this.#head = { step, mathHash: entry.mathHash };
    return { kind: 'ok' };
  }

  refill(nowMs: number, term: SimTerm, base: TailHead, entries: readonly LedgerEntry[]): RefillResult {
    if (!this.#isHeldBy(nowMs, term)) return 'fenced';
    const newest = entries.at(-1);
    const head = newest === undefined ? base : { step: newest.math.step, mathHash: newest.mathHash };
    if (this.#head !== null) {
      if (this.#head.step > head.step) return 'ahead';
      const same = entries.find((entry) => entry.math.step === this.#head?.step)?.mathHash;
      const known = this.#head.step === base.step ? base.mathHash : same;
      if (known !== undefined && known !== this.#head.mathHash) return 'mismatch';
    }
    this.#head = head;
    this.#ledger = new Map(entries.map((entry) => [entry.math.step, entry]));
    return 'ok';
  }

  /** Stored unless there is this revision or a higher one; answers what holds. */
  offerDesired(desired: Desired): Desired {
    if (this.desired === null || this.desired.revision < desired.revision) this.desired = desired;
    return this.desired;
  }

  #isHeldBy(nowMs: number, term: SimTerm): boolean {
    const held = this.holder(nowMs);
    return held !== null && held.number === term.number && held.leader === term.leader;
  }
}
