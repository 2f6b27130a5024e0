// The newest part of a run's ledger, which fixes the order while Redis lives: one writer, one entry per step.
// Entries are opaque text here; only step and the two hashes are looked at.
import { assert, CriaError, type RunId } from '@cria/runtime';
import type { RedisConnection } from './connection.js';
import { headKey, leaseKey, ledgerKey, refillKey } from './keys.js';
import { parseHolder, type HolderReply, type LeaseHolder, type Term } from './lease.js';
import { APPEND_ENTRY, COMMIT_REFILL, CUT_LEDGER, STAGE_ENTRIES } from './lua/ledger.js';

export interface TailEntry {
  readonly step: number;
  readonly prevMathHash: string;
  readonly mathHash: string;
  /** The entry as its owner wrote it. */
  readonly entry: string;
}

/** The newest entry; before the first one {step: -1, mathHash: genesis}. */
export interface TailHead {
  readonly step: number;
  readonly mathHash: string;
}

/** Somebody else leads (or nobody): step down. */
export interface Fenced {
  readonly kind: 'fenced';
  readonly holder: LeaseHolder | null;
}

export type AppendResult =
  | { readonly kind: 'ok' }
  /** The step is there already: a lost reply or a replay; null when it was cut. */
  | { readonly kind: 'have'; readonly entry: TailEntry | null }
  | Fenced
  /** Redis knows less than the leader; null when it knows nothing. */
  | { readonly kind: 'behind'; readonly head: TailHead | null }
  /** The next step, but after another entry than Redis' newest. */
  | { readonly kind: 'mismatch'; readonly head: TailHead };

export type RefillTailResult =
  | { readonly kind: 'ok' }
  | Fenced
  /** Redis holds more: take that chain into account first. */
  | { readonly kind: 'ahead'; readonly head: TailHead }
  /** Redis holds other mathematics for its newest step. */
  | { readonly kind: 'mismatch'; readonly head: TailHead };

/** Requests may be repeated unchanged after REDIS_UNAVAILABLE or DEADLINE_EXCEEDED. */
export interface LedgerTail {
  /** Appends if the lease is this term's, the step is the next one and it follows Redis' head. */
  append(term: Term, entry: TailEntry): Promise<AppendResult>;
  /** Replaces what Redis holds by these consecutive entries, which follow `base`; all or nothing. */
  refill(term: Term, base: TailHead, entries: readonly TailEntry[]): Promise<RefillTailResult>;
  /** Null when Redis knows nothing of the run. */
  head(): Promise<TailHead | null>;
  /** The first step that was kept when the ledger was last cut or refilled; 0 when Redis knows nothing. */
  firstStep(): Promise<number>;
  /** The kept entries of steps from..to, both included, in order. */
  range(fromStep: number, toStep: number): Promise<TailEntry[]>;
  /** Removes the entries below a step; the newest one stays. Answers the first step that is kept. */
  cut(term: Term, belowStep: number): Promise<{ readonly kind: 'ok'; readonly firstStep: number } | Fenced>;
}

export function redisLedgerTail(connection: RedisConnection, runId: RunId): LedgerTail {
  return new RedisLedgerTail(connection, runId);
}

/** Entries per command: about 1 KB each, so that no command holds Redis for more than a few ms. */
const CHUNK = 256;
/** A refill that was given up half-way leaves nothing behind. */
const STAGING_TTL_MS = 60_000;

type FencedReply = readonly ['fenced', HolderReply];
type HeadReply<Kind> = readonly [Kind, string, string];

class RedisLedgerTail implements LedgerTail {
  readonly #connection: RedisConnection;
  readonly #runId: RunId;
  readonly #keys: { readonly lease: string; readonly head: string; readonly ledger: string };

  constructor(connection: RedisConnection, runId: RunId) {
    this.#connection = connection;
    this.#runId = runId;
    this.#keys = { lease: leaseKey(runId), head: headKey(runId), ledger: ledgerKey(runId) };
  }

  async append(term: Term, entry: TailEntry): Promise<AppendResult> {
    const { lease, head, ledger } = this.#keys;
    const { step, prevMathHash, mathHash } = entry;
    const args = [term.number, term.leader, step, prevMathHash, mathHash, JSON.stringify(entry)];
    const reply = (await this.#connection.run(APPEND_ENTRY, [lease, head, ledger], args)) as
      | readonly ['ok']
      | readonly ['have', string]
      | readonly ['behind']
      | HeadReply<'behind' | 'mismatch'>
      | FencedReply;
    switch (reply[0]) {
      case 'ok':
        return { kind: 'ok' };
      case 'have':
        return { kind: 'have', entry: reply[1] === '' ? null : parseEntry(reply[1]) };
      case 'fenced':
        return { kind: 'fenced', holder: parseHolder(reply[1]) };
      case 'mismatch':
        return { kind: 'mismatch', head: parseHead(reply) };
      case 'behind':
        return { kind: 'behind', head: isHeadReply(reply) ? parseHead(reply) : null };
    }
  }

  async refill(term: Term, base: TailHead, entries: readonly TailEntry[]): Promise<RefillTailResult> {
    assertChain(base, entries);
    const { lease, head, ledger } = this.#keys;
    const staging = refillKey(this.#runId, term.number, term.leader);
    await this.#connection.call('refilling the ledger', (client) => client.unlink(staging));
    for (let from = 0; from < entries.length; from += CHUNK) {
      const pairs = entries.slice(from, from + CHUNK).flatMap((entry) => [entry.step, JSON.stringify(entry)]);
      const args = [term.number, term.leader, STAGING_TTL_MS, ...pairs];
      const reply = await this.#connection.run(STAGE_ENTRIES, [lease, staging], args);
      const [kind, held] = reply as readonly ['ok'] | FencedReply;
      if (kind === 'fenced') return { kind, holder: parseHolder(held) };
    }
    const newest = entries.at(-1) ?? base;
    const args = [
      ...[term.number, term.leader, entries.length, base.step + 1, base.mathHash],
      ...[newest.step, newest.mathHash],
    ];
    const reply = await this.#connection.run(COMMIT_REFILL, [lease, head, ledger, staging], args);
    return parseRefill(
      reply as readonly ['ok'] | readonly ['torn'] | HeadReply<'ahead' | 'mismatch'> | FencedReply,
    );
  }

  async head(): Promise<TailHead | null> {
    const [step, mathHash] = await this.#connection.call('reading the head', (client) =>
      client.hmget(this.#keys.head, 'step', 'mathHash'),
    );
    return step == null || mathHash == null ? null : { step: Number(step), mathHash };
  }

  async firstStep(): Promise<number> {
    const first = await this.#connection.call('reading the head', (client) =>
      client.hget(this.#keys.head, 'first'),
    );
    return Number(first ?? 0);
  }

  async range(fromStep: number, toStep: number): Promise<TailEntry[]> {
    const entries: TailEntry[] = [];
    for (let from = fromStep; from <= toStep; from += CHUNK) {
      const count = Math.min(CHUNK, toStep - from + 1);
      const steps = Array.from({ length: count }, (_, index) => String(from + index));
      const texts = await this.#connection.call('reading the ledger', (client) =>
        client.hmget(this.#keys.ledger, ...steps),
      );
      for (const text of texts) if (text !== null) entries.push(parseEntry(text));
    }
    return entries;
  }

  async cut(
    term: Term,
    belowStep: number,
  ): Promise<{ readonly kind: 'ok'; readonly firstStep: number } | Fenced> {
    const { lease, head, ledger } = this.#keys;
    for (let previous = -1; ;) {
      const args = [term.number, term.leader, belowStep, CHUNK];
      const reply = await this.#connection.run(CUT_LEDGER, [lease, head, ledger], args);
      const [kind, value] = reply as readonly ['ok', number] | FencedReply;
      if (kind === 'fenced') return { kind, holder: parseHolder(value) };
      if (value >= belowStep || value === previous) return { kind, firstStep: value };
      previous = value;
    }
  }
}

function parseRefill(
  reply: readonly ['ok'] | readonly ['torn'] | HeadReply<'ahead' | 'mismatch'> | FencedReply,
): RefillTailResult {
  switch (reply[0]) {
    case 'ok':
      return { kind: 'ok' };
    case 'fenced':
      return { kind: 'fenced', holder: parseHolder(reply[1]) };
    case 'ahead':
    case 'mismatch':
      return { kind: reply[0], head: parseHead(reply) };
    case 'torn':
      throw new CriaError(
        'REDIS_UNAVAILABLE',
        'Redis lost entries while the ledger was refilled: refill again',
      );
  }
}

function assertChain(base: TailHead, entries: readonly TailEntry[]): void {
  let before: TailHead = base;
  for (const entry of entries) {
    const follows = entry.step === before.step + 1 && entry.prevMathHash === before.mathHash;
    assert(follows, `ledger entry ${entry.step} follows entry ${before.step}`);
    before = entry;
  }
}

function parseEntry(text: string): TailEntry {
  return JSON.parse(text) as TailEntry;
}

function isHeadReply<Kind>(reply: readonly [Kind] | HeadReply<Kind>): reply is HeadReply<Kind> {
  return reply.length === 3;
}

function parseHead([, step, mathHash]: HeadReply<unknown>): TailHead {
  return { step: Number(step), mathHash };
}
