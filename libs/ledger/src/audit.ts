// The proof that every token of the budget was trained on exactly once: both chains recomputed, every
// step once, every slot of a step in one member's share, heads compared with the manifests.
import { CriaError } from '@cria/runtime';
import { lossWindow, skipsRunning, VERDICT_HISTORY, verdictOf, type AnomalyRules } from './anomalies.js';
import { genesisPoint, linkFault, pointAfter, type ChainPoint } from './chain.js';
import type { LedgerEntry, LedgerTerm } from './entry.js';

/** What a checkpoint's manifest says about the ledger. `step` counts the steps committed before it. */
export interface ManifestFacts {
  readonly step: number;
  readonly runId: string;
  readonly genesis: string;
  readonly mathHash: string;
  readonly opsHash: string;
  readonly stateDigest: string;
  readonly term: LedgerTerm;
}

export interface AuditInput {
  /** In order; a file is best read as a stream (`readLedger`). LEDGER_CORRUPT thrown by it becomes part of the report. */
  readonly entries: Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>;
  readonly runId: string;
  readonly genesis: string;
  readonly sequenceLength: number;
  readonly globalBatch: number;
  /** Slots of a step (K). */
  readonly slots: number;
  readonly manifests: readonly ManifestFacts[];
  /** The configuration's `anomalies`: with them every verdict is judged again. */
  readonly rules?: AnomalyRules;
}

export interface AuditReport {
  readonly ok: boolean;
  /** Steps whose entries verify. */
  readonly steps: number;
  /** Tokens of those steps. */
  readonly tokens: number;
  /** Tokens of those steps whose update was left out (verdict skip or stop). */
  readonly skippedTokens: number;
  /** Slots that no member's share holds, summed over the steps. */
  readonly gaps: number;
  /** Slots that a second share holds too, summed over the steps. */
  readonly overlaps: number;
  /** Heads of the part that verifies. */
  readonly mathHash: string;
  readonly opsHash: string;
  readonly firstBadStep: number | null;
  /** Everything that is wrong, a sentence each. */
  readonly problems: readonly string[];
}

/** Reads the whole ledger once; memory does not grow with it. */
export async function audit(input: AuditInput): Promise<AuditReport> {
  const auditor = new Auditor(input);
  try {
    for await (const entry of input.entries) {
      if (!auditor.take(entry)) break;
    }
  } catch (error) {
    if (!CriaError.is(error) || error.code !== 'LEDGER_CORRUPT') throw error;
    auditor.unreadable(error.message);
  }
  return auditor.report();
}

class Auditor {
  readonly #input: AuditInput;
  readonly #manifestsByStep: Map<number, ManifestFacts[]>;
  readonly #problems: string[] = [];
  #head: ChainPoint;
  #term: LedgerTerm | null = null;
  /** Terms of the entries that say `recovered`: manifests of older terms may tell of a lost story after them. */
  #recoveredInTerm = -1;
  #tokens = 0;
  #skippedTokens = 0;
  /** The newest entries, enough to judge the next one. */
  #recent: LedgerEntry[] = [];
  #gaps = 0;
  #overlaps = 0;
  #firstBadStep: number | null = null;

  constructor(input: AuditInput) {
    this.#input = input;
    this.#head = genesisPoint(input.runId, input.genesis);
    this.#manifestsByStep = byStep(input.manifests);
  }

  /** False when the chain ends here because this entry does not follow. */
  take(entry: LedgerEntry): boolean {
    const { math, ops } = entry;
    const fault = linkFault(this.#head, entry);
    if (fault !== null) {
      this.#bad(this.#head.step + 1, fault);
      this.#countMisplaced(math.step - this.#head.step - 1);
      return false;
    }
    this.#compareManifests(math.stateDigest);
    this.#checkVerdict(entry);
    if (ops.recovered === true) this.#recoveredInTerm = ops.term.number;
    this.#checkTerm(entry);
    this.#countTokens(entry);
    this.#countSlots(entry);
    this.#head = pointAfter(entry);
    if (math.verdict !== 'use') this.#skippedTokens += math.tokens;
    return true;
  }

  unreadable(message: string): void {
    this.#bad(this.#head.step + 1, message);
  }

  report(): AuditReport {
    this.#compareManifests(null);
    for (const [step] of [...this.#manifestsByStep].sort(([a], [b]) => a - b)) {
      this.#bad(this.#head.step + 1, `the checkpoint of step ${step} is ahead of the ledger`);
    }
    return {
      ok: this.#problems.length === 0,
      steps: this.#head.step + 1,
      tokens: this.#tokens,
      skippedTokens: this.#skippedTokens,
      gaps: this.#gaps,
      overlaps: this.#overlaps,
      mathHash: this.#head.mathHash,
      opsHash: this.#head.opsHash,
      firstBadStep: this.#firstBadStep,
      problems: this.#problems,
    };
  }

  #bad(step: number, problem: string): void {
    this.#firstBadStep = this.#firstBadStep === null ? step : Math.min(step, this.#firstBadStep);
    if (this.#problems.length < 100) this.#problems.push(problem);
  }

  /** Manifests of the place the chain has reached: `stateDigest` is that of the next entry, if there is one. */
  #compareManifests(stateDigest: string | null): void {
    const step = this.#head.step + 1;
    for (const manifest of this.#manifestsByStep.get(step) ?? []) {
      const complain = (what: string): void =>
        this.#bad(Math.max(0, step - 1), `the manifest of step ${step} has another ${what} than the ledger`);
      if (manifest.runId !== this.#input.runId) complain('runId');
      if (manifest.genesis !== this.#input.genesis) complain('genesis');
      if (manifest.mathHash !== this.#head.mathHash) complain('mathHash');
      const mayTellALostStory = manifest.term.number < this.#recoveredInTerm;
      if (manifest.opsHash !== this.#head.opsHash && !mayTellALostStory) complain('opsHash');
      if (stateDigest !== null && manifest.stateDigest !== stateDigest) complain('stateDigest');
    }
    this.#manifestsByStep.delete(step);
  }

  #checkTerm({ math, ops }: LedgerEntry): void {
    const before = this.#term;
    this.#term = ops.term;
    if (before === null || ops.term.number > before.number) return;
    if (ops.term.number === before.number && ops.term.leader === before.leader) return;
    this.#bad(
      math.step,
      `step ${math.step}: term ${ops.term.number} of ${ops.term.leader} follows term ${before.number} of ${before.leader}`,
    );
  }

  #checkVerdict(entry: LedgerEntry): void {
    const { rules } = this.#input;
    if (rules === undefined) return;
    const { verdict, reason } = verdictOf({
      ...entry.math,
      rules,
      window: lossWindow(this.#recent),
      skipsRunning: skipsRunning(this.#recent),
    });
    if (verdict !== entry.math.verdict) {
      const because = reason === null ? '' : ` (${reason})`;
      const { step } = entry.math;
      this.#bad(step, `step ${step} says ${entry.math.verdict}, the rules say ${verdict}${because}`);
    }
    this.#recent.push(entry);
    if (this.#recent.length > 2 * VERDICT_HISTORY) this.#recent.splice(0, VERDICT_HISTORY);
  }

  /** Whole steps left out before this entry (positive), or already there (negative). */
  #countMisplaced(steps: number): void {
    if (steps > 0) this.#gaps += steps * this.#input.slots;
    if (steps < 0) this.#overlaps += this.#input.slots;
  }

  #countTokens({ math }: LedgerEntry): void {
    this.#tokens += math.tokens;
    const expected = this.#input.sequenceLength * this.#input.globalBatch;
    if (math.tokens !== expected) {
      this.#bad(math.step, `step ${math.step} has ${math.tokens} tokens, the configuration says ${expected}`);
    }
  }

  #countSlots({ math, ops }: LedgerEntry): void {
    const { slots } = this.#input;
    const holders = new Uint32Array(slots);
    let outside = 0;
    for (const slot of ops.members.flatMap((member) => member.slots)) {
      if (slot < slots) holders[slot] = (holders[slot] ?? 0) + 1;
      else outside++;
    }
    const gaps = holders.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0);
    const overlaps = holders.reduce((sum, count) => sum + Math.max(0, count - 1), outside);
    this.#gaps += gaps;
    this.#overlaps += overlaps;
    if (gaps > 0)
      this.#bad(math.step, `step ${math.step}: ${gaps} of ${slots} slots are in no member's share`);
    if (overlaps > 0)
      this.#bad(math.step, `step ${math.step}: ${overlaps} slots too many in the members' shares`);
  }
}

function byStep(manifests: readonly ManifestFacts[]): Map<number, ManifestFacts[]> {
  const groups = new Map<number, ManifestFacts[]>();
  for (const manifest of manifests) {
    const group = groups.get(manifest.step);
    if (group === undefined) groups.set(manifest.step, [manifest]);
    else group.push(manifest);
  }
  return groups;
}
