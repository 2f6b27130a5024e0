// PROTOCOL section 8, as far as the present code carries it. The oracle knows every state and every sum; nobody in the
// simulated cluster does.
import type { LeaderEffect } from '@cria/coordinator/decide/leader-events';
import { workersByAge } from '@cria/coordinator/decide/leader-questions';
import type { LedgerEntry } from '@cria/ledger';
import type { Exchange } from '@cria/protocol';
import { workerId } from '@cria/runtime';
import type { TermMark } from '@cria/worker/decide/worker-state';
import type { Leadership } from './coordinator/leadership.js';
import { FAULTS_UNTIL_MS } from './faults/schedule.js';
import { GENESIS, stateDigest, validationLoss, wholeOf } from './model/mathematics.js';
import type { Oracle } from './model/oracle.js';
import type { SimManifest } from './stores/durable.js';
import type { LeaseHolder } from './stores/redis-data.js';
import type { PeerPart } from './worker/peer.js';
import type { WorkerSession } from './worker/session.js';
import type { World } from './world/world.js';

type Grant = Extract<LeaderEffect, { do: 'grant' }>;
/** More than any time-out of the protocol, less than the longest two of them together. */
const STALL_MAX_MS = 8000;

const EXCUSED_BY_FLIPS: ReadonlySet<string> = new Set(['I2', 'I3', 'I6', 'I8']);

type Note = Extract<LeaderEffect, { do: 'note' }>;

export class Invariants {
  readonly #world: World;
  readonly #oracle: Oracle;
  /** mathHashes of entries that Redis took. */
  readonly #appended = new Set<string>();
  readonly #exchanges = new Map<string, string>();
  readonly #terms = new Map<string, TermMark>();
  /** A bit was turned over on purpose: damage may be found, wrong states may be there; none may get into the ledger. */
  #isFlipped = false;
  #lastProgressMs = 0;
  /** When the last fault so far is over; one that waits for a point may come late. */
  #faultsUntilMs = FAULTS_UNTIL_MS;
  #stallMs = 0;
  readonly notes = new Map<string, number>();
  readonly sessions = new Map<string, WorkerSession>();

  constructor(world: World, oracle: Oracle) {
    this.#world = world;
    this.#oracle = oracle;
  }

  /** The longest time without progress once nothing went wrong any more. */
  get stallMs(): number {
    return this.#stallMs;
  }

  /** I11: a step is through, a checkpoint is written, or the run has ended. */
  progressed(): void {
    const { nowMs } = this.#world;
    const stallMs = nowMs - Math.max(this.#lastProgressMs, this.#faultsUntilMs);
    this.#lastProgressMs = nowMs;
    this.#stallMs = Math.max(this.#stallMs, stallMs);
    this.#check('I11', stallMs <= STALL_MAX_MS, () => `nothing went on for ${stallMs.toFixed(0)} ms`);
  }

  /** A fault that lasts until then. */
  disturbed(untilMs: number): void {
    this.#faultsUntilMs = Math.max(this.#faultsUntilMs, untilMs);
  }

  flipped(): void {
    this.#isFlipped = true;
  }

  sessionBegan(worker: string, session: WorkerSession): void {
    this.sessions.set(worker, session);
  }

  sessionEnded(worker: string): void {
    this.sessions.delete(worker);
  }

  /** I1, I5: Redis took an entry. */
  appended(entry: LedgerEntry, before: LedgerEntry | null, holder: LeaseHolder | null): void {
    const { step } = entry.math;
    this.#check(
      'I1',
      entry.mathHash === this.#oracle.step(step).mathHash,
      () => `entry ${step} has other mathematics`,
    );
    const { term } = entry.ops;
    const isHolders = holder !== null && holder.number === term.number && holder.leader === term.leader;
    this.#check('I5', isHolders, () => `entry ${step} was appended by ${term.leader} without the lease`);
    const lastNumber = before?.ops.term.number ?? 0;
    this.#check(
      'I5',
      term.number >= lastNumber,
      () => `the term falls from ${lastNumber} to ${term.number} at ${step}`,
    );
    this.#check(
      'I5',
      before === null || before.math.step === step - 1,
      () => `entry ${step} follows ${before?.math.step}`,
    );
    this.#appended.add(entry.mathHash);
  }

  /** I4: a worker is about to apply an entry. */
  applies(worker: string, entry: LedgerEntry): void {
    const isKnown = this.#appended.has(entry.mathHash);
    this.#check('I4', isKnown, () => `${worker} applies entry ${entry.math.step}, which was never appended`);
  }

  /** I3: a worker has a reduced gradient. */
  reduced(
    worker: string,
    sum: { step: number; attempt: number; sums: readonly number[]; parts: ReadonlyArray<PeerPart | null> },
  ): void {
    const { sums } = this.#oracle.step(sum.step);
    sum.sums.forEach((value, part) => {
      const counts = sum.parts[part]?.counts.join('') ?? '';
      this.#check(
        'I3',
        value === sums[part],
        () =>
          `${worker}: attempt ${sum.attempt} of step ${sum.step}: part ${part} is a wrong sum (counts by slot: ${counts})`,
      );
    });
  }

  /** I2, I5: after every event of a worker. */
  workerDecided(worker: string, session: WorkerSession): void {
    const { state, memory } = session;
    const { term } = state;
    const before = this.#terms.get(worker) ?? term;
    const obeysOn = before.leader === '' || term.leader === before.leader;
    this.#check(
      'I5',
      term.number > before.number || (term.number === before.number && obeysOn),
      () => `${worker}'s term goes from ${describeTerm(before)} to ${describeTerm(term)}`,
    );
    this.#terms.set(worker, term);
    if (state.phase !== 'ready') return;
    const { position } = state;
    const truth = this.#oracle.step(position);
    const digest = stateDigest(memory.values);
    this.#check('I2', digest === truth.stateDigest, () => `${worker} at ${position} has state ${digest}`);
    this.#check(
      'I2',
      digest === state.stateDigest,
      () => `${worker} at ${position} says digest ${state.stateDigest}`,
    );
    const mathHash = position === 0 ? GENESIS : this.#oracle.step(position - 1).mathHash;
    this.#check(
      'I2',
      state.mathHash === mathHash,
      () => `${worker} at ${position} has mathHash ${state.mathHash}`,
    );
  }

  /** I5: (term, attempt) means one thing. */
  exchangeSent(exchange: Exchange): void {
    const key = `${exchange.term?.number}/${exchange.term?.leader}/${exchange.attempt}`;
    const { step, sets, from } = exchange;
    const meaning = JSON.stringify([step, sets, from, exchange.void]);
    const before = this.#exchanges.get(key);
    this.#check(
      'I5',
      before === undefined || before === meaning,
      () => `attempt ${key} meant ${before}, now ${meaning}`,
    );
    this.#exchanges.set(key, meaning);
  }

  /** I6: counts and digests fail only where a bit was flipped. */
  blocked(worker: string, slots: readonly number[], why: string): void {
    const isDamage = slots.length > 0 || why.includes('match');
    this.#check('I6', !isDamage, () => `${worker} complains: ${why}`);
  }

  noted(leadership: Leadership, { kind, text }: Note): void {
    this.notes.set(kind, (this.notes.get(kind) ?? 0) + 1);
    const isDamage = kind === 'damage-found' && !text.startsWith('exchange');
    this.#check('I6', !isDamage, () => `${leadership.process.id}: ${text}`);
  }

  /** I7: recovery's head. */
  recovered(headStep: number, copies: ReadonlyArray<readonly LedgerEntry[]>): void {
    for (const copy of copies) {
      const newest = copy.at(-1)?.math.step ?? -1;
      this.#check('I7', headStep >= newest, () => `the head is ${headStep}, a copy goes to ${newest}`);
    }
  }

  /** I8: nothing is computed again that a member has. */
  granted(leadership: Leadership, grant: Grant): void {
    const { state } = leadership;
    if (grant.slots.length === 0) return;
    // H11: nothing is planned ahead.
    this.#check(
      'I8',
      grant.step <= state.head,
      () => `step ${grant.step} goes out before ${state.head} is done`,
    );
    const holders = [...state.prepared.keys()].join(', ');
    const isNeedless = state.prepared.size > 0 && !state.voidNext;
    this.#check(
      'I8',
      !isNeedless,
      () => `slots [${grant.slots.join()}] of step ${grant.step} go out, prepared: ${holders}`,
    );
    for (const [worker, session] of this.sessions) {
      const { position } = session.state;
      this.#check(
        'I8',
        !isWholeAndObeys(leadership, worker, session) || position <= grant.step || position > state.head,
        () => `step ${grant.step} is computed, ${worker} is at ${position}`,
      );
    }
  }

  /** I7: no worker knows more of the ledger, unless it was asked; I10: seats. */
  leaderDecided(leadership: Leadership): void {
    const { state } = leadership;
    if (state.phase !== 'run') return;
    for (const [worker, session] of this.sessions) {
      const { position, entriesFirst } = session.state;
      const goesOn = entriesFirst <= state.head && position > state.head;
      if (!goesOn || !isWholeAndObeys(leadership, worker, session)) continue;
      this.#check(
        'I7',
        state.askedForEntries.has(workerId(worker)),
        () => `the head is ${state.head}, ${worker} has the ledger up to ${position}`,
      );
    }
    const staying = workersByAge(state).filter((worker) => !worker.leaving).length;
    const { target } = state.desired;
    this.#check('I10', staying <= target, () => `${staying} workers stay, ${target} are wanted`);
  }

  /** Validation losses are those of the oracle's states. */
  validated(step: number, lossBits: ReadonlyArray<number | null>): void {
    const whole = wholeOf(this.#oracle.step(step).state);
    lossBits.forEach((bits, index) => {
      const isRight = bits === null || bits === validationLoss(index, whole);
      this.#check('I2', isRight, () => `validation sequence ${index} at step ${step} has loss bits ${bits}`);
    });
  }

  /** I9: a manifest is about to be published. */
  published({ step, parts, entries }: SimManifest): void {
    const truth = this.#oracle.step(step).state;
    this.#check('I9', parts.join() === truth.join(), () => `checkpoint ${step} holds [${parts.join()}]`);
    this.#check('I9', entries.length === step, () => `checkpoint ${step} holds ${entries.length} entries`);
    for (const { math, mathHash } of entries) {
      this.#check(
        'I9',
        mathHash === this.#oracle.step(math.step).mathHash,
        () => `checkpoint ${step}: entry ${math.step}`,
      );
    }
  }

  #check(rule: string, holds: boolean, text: () => string): void {
    if (this.#isFlipped && EXCUSED_BY_FLIPS.has(rule)) return;
    if (!holds) this.#world.violation(rule, text());
  }
}

/** Who obeys a newer leader refuses this one, which may have slept and not know of it yet. */
function isWholeAndObeys(leader: Leadership, worker: string, { state }: WorkerSession): boolean {
  const isObeying = state.welcomed && state.term.number <= leader.term.number;
  const isHere = leader.state.workers.has(workerId(worker)) && !leader.gaveUp.has(worker);
  return state.phase === 'ready' && isObeying && isHere;
}

function describeTerm({ number, leader }: TermMark): string {
  return `${number} of ${leader}`;
}
