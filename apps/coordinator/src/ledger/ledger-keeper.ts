// The leader's ledger: composes entries from what was prepared, appends them to Redis (which fixes the order) and
// then to ledger.jsonl. Below the head it compares instead: replaying a step must give the same mathematics.
import type { LedgerFile } from '@cria/ledger';
import {
  f32Bits,
  f64FromBits,
  formatLine,
  lossWindow,
  meanLoss,
  pointAfter,
  parseLine,
  seal,
  skipsRunning,
  VERDICT_HISTORY,
  verdictOf,
  type AnomalyRules,
  type ChainPoint,
  type Desired,
  type LedgerEntry,
  type LedgerMath,
  type MemberSlots,
} from '@cria/ledger';
import type { LedgerTail, Term } from '@cria/queue';
import { CriaError, present, type Clock, type Log } from '@cria/runtime';
import type { AppendOutcome } from '../decide/leader-events.js';
import type { EntryDigests } from '../decide/leader-state.js';
import { firstKeptStep } from './kept-steps.js';

/** What the report part says about a step, in slot order. */
export interface StepReport {
  readonly lossBits: readonly number[];
  readonly flagged: readonly number[];
}

export interface PreparedStep {
  readonly step: number;
  readonly attempt: number;
  readonly lr: number;
  readonly gradDigest: string;
  readonly gradNormBits: string;
  readonly stateDigest: string;
  readonly report: StepReport;
  readonly members: readonly MemberSlots[];
  readonly recomputed: readonly number[];
  readonly desired: Desired;
}

export interface LedgerKeeperOptions {
  readonly tail: LedgerTail;
  readonly file: LedgerFile;
  readonly term: Term;
  readonly genesisPoint: ChainPoint;
  /** Consecutive entries that end at the head; at least VERDICT_HISTORY of them or all there are. */
  readonly entries: readonly LedgerEntry[];
  readonly head: ChainPoint;
  readonly tokensPerStep: number;
  readonly rules: AnomalyRules;
  readonly clock: Clock;
  readonly log: Log;
  /** The first entry after a recovery that may have lost entries says so. */
  readonly recovered: boolean;
}

export class LedgerKeeper {
  readonly #options: LedgerKeeperOptions;
  #entries: LedgerEntry[];
  #head: ChainPoint;
  #recovered: boolean;

  constructor(options: LedgerKeeperOptions) {
    this.#options = options;
    this.#entries = [...options.entries];
    this.#head = options.head;
    this.#recovered = options.recovered;
  }

  /** Number of committed steps. */
  get length(): number {
    return this.#head.step + 1;
  }

  get head(): ChainPoint {
    return this.#head;
  }

  /** The entry of a step near the head, or null. */
  entry(step: number): LedgerEntry | null {
    const first = this.#entries[0]?.math.step ?? 0;
    return this.#entries[step - first] ?? null;
  }

  /** mathHash that a state at `position` continues. */
  mathHashAt(position: number): string {
    return position === 0 ? this.#options.genesisPoint.mathHash : (this.entry(position - 1)?.mathHash ?? '');
  }

  /** What the entries at hand say, by step. */
  digests(): Map<number, EntryDigests> {
    return new Map(this.#entries.map((entry) => [entry.math.step, digestsOf(entry)]));
  }

  /** Appends the step, or compares it when the ledger has it. */
  async commit(prepared: PreparedStep): Promise<AppendOutcome> {
    const math = this.#mathOf(prepared);
    if (prepared.step < this.length) return this.#compare(math, this.entry(prepared.step), 'the ledger');
    const { attempt, members, recomputed, desired } = prepared;
    const { revision, target, paused } = desired;
    const entry = seal(this.#head, math, {
      term: { number: this.#options.term.number, leader: this.#options.term.leader },
      attempt,
      members,
      recomputed,
      desired: { revision, target, paused },
      ...(this.#recovered ? { recovered: true as const } : {}),
      wallMs: this.#options.clock.wallMs(),
    });
    return this.#append(entry);
  }

  /** Removes from Redis what is no longer needed there; a failure costs memory, not the run. */
  async cutRedis(manifestSteps: readonly number[]): Promise<void> {
    const { tail, term, log } = this.#options;
    try {
      await tail.cut(term, firstKeptStep(this.#entries, manifestSteps));
    } catch (error) {
      log.warn({ error: String(error) }, 'the ledger in Redis could not be cut');
    }
  }

  #mathOf(prepared: PreparedStep): LedgerMath {
    const { step, lr, gradDigest, stateDigest, report } = prepared;
    const gradNorm = present(f64FromBits(prepared.gradNormBits), 'gradNorm');
    const loss = meanLoss(report.lossBits);
    const history = this.#historyBefore(step);
    const { verdict, reason } = verdictOf({
      step,
      loss,
      gradNorm,
      flagged: report.flagged,
      rules: this.#options.rules,
      window: lossWindow(history),
      skipsRunning: skipsRunning(history),
    });
    if (reason !== null) this.#options.log.warn({ step, verdict, reason }, 'anomaly');
    const tokens = this.#options.tokensPerStep;
    return { step, tokens, lr, stateDigest, gradDigest, gradNorm, loss, flagged: report.flagged, verdict };
  }

  #historyBefore(step: number): readonly LedgerEntry[] {
    const first = this.#entries[0]?.math.step ?? 0;
    const end = step - first;
    return this.#entries.slice(Math.max(0, end - VERDICT_HISTORY), end);
  }

  async #append(entry: LedgerEntry): Promise<AppendOutcome> {
    const { tail, term, file } = this.#options;
    const line = formatLine(entry);
    const prevMathHash = this.#head.mathHash;
    const { mathHash } = entry;
    const result = await tail.append(term, { step: entry.math.step, prevMathHash, mathHash, entry: line });
    switch (result.kind) {
      case 'ok':
        break;
      case 'have': {
        // Our own append whose answer was lost, or another leader's with the same mathematics.
        const theirs = result.entry === null ? null : parseLine(result.entry.entry, 'redis');
        const outcome = this.#compare(entry.math, theirs, 'Redis');
        if (outcome.kind !== 'committed' || theirs === null) return outcome;
        await this.#take(theirs, file);
        return { ...outcome, replayed: false };
      }
      case 'mismatch':
        return diverged(
          entry.math.step,
          `Redis' newest entry is step ${result.head.step}, ${result.head.mathHash}`,
        );
      case 'fenced':
        return { kind: 'step-down', why: 'another leader holds the lease' };
      case 'behind':
        return { kind: 'step-down', why: 'Redis knows less than the leader: recover and refill it' };
    }
    await this.#take(entry, file);
    return committed(entry, false);
  }

  async #take(entry: LedgerEntry, file: LedgerFile): Promise<void> {
    await file.append([entry]);
    // Redis has it already and fixes the order; the disk follows without being waited for.
    file
      .sync()
      .catch((error: unknown) =>
        this.#options.log.warn({ error: String(error) }, 'ledger.jsonl could not be synced'),
      );
    this.#entries.push(entry);
    this.#head = pointAfter(entry);
    this.#recovered = false;
    const keep = VERDICT_HISTORY + 1024;
    if (this.#entries.length > 2 * keep) this.#entries = this.#entries.slice(-keep);
  }

  #compare(math: LedgerMath, known: LedgerEntry | null, where: string): AppendOutcome {
    if (known === null) {
      return diverged(math.step, `${where} no longer holds the entry to compare with`);
    }
    const difference = firstDifference(math, known.math);
    if (difference === null) return committed(known, true);
    return diverged(math.step, `${where} has ${difference} of another value`);
  }
}

function committed(entry: LedgerEntry, replayed: boolean): AppendOutcome {
  return { kind: 'committed', entry: digestsOf(entry), verdict: entry.math.verdict, replayed };
}

function diverged(step: number, why: string): AppendOutcome {
  return {
    kind: 'diverged',
    why: `step ${step} came out differently than before: ${why}. One of the machines computes wrongly; compare both copies and start a new run from a checkpoint`,
  };
}

function firstDifference(a: LedgerMath, b: LedgerMath): string | null {
  if (a.stateDigest !== b.stateDigest) return `stateDigest (${b.stateDigest}, now ${a.stateDigest})`;
  if (a.gradDigest !== b.gradDigest) return `gradDigest (${b.gradDigest}, now ${a.gradDigest})`;
  if (f32Bits(a.lr) !== f32Bits(b.lr)) return `lr (${b.lr}, now ${a.lr})`;
  if (!Object.is(a.loss, b.loss)) return `loss (${b.loss}, now ${a.loss})`;
  if (!Object.is(a.gradNorm, b.gradNorm)) return `gradNorm (${b.gradNorm}, now ${a.gradNorm})`;
  if (a.flagged.join() !== b.flagged.join()) return 'flagged slots';
  return a.verdict === b.verdict ? null : `verdict (${b.verdict}, now ${a.verdict})`;
}

/** Whether an error means that the append has to be tried again unchanged. */
export function mustRepeat(error: unknown): boolean {
  return CriaError.is(error) && error.action === 'retry';
}

function digestsOf({ math, mathHash }: LedgerEntry): EntryDigests {
  return { stateDigest: math.stateDigest, gradDigest: math.gradDigest, mathHash };
}
