// Finding the head: the longest chain that verifies among Redis, ledger.jsonl and the newest manifest (PROTOCOL 5.3).
import {
  genesisPoint,
  LedgerFile,
  loadLedger,
  longestVerified,
  parseCopy,
  pointAfter,
  type Anchor,
  type ChainPoint,
  type LedgerCopy,
  type LedgerEntry,
} from '@cria/ledger';
import type { LedgerTail, TailEntry, Term } from '@cria/queue';
import { CriaError, systemCode, type Log } from '@cria/runtime';
import { formatLine } from '@cria/ledger';
import { existsSync } from 'node:fs';

export interface Recovered {
  readonly head: ChainPoint;
  readonly entries: readonly LedgerEntry[];
  /** Entries may have been lost: the next one says `recovered`. */
  readonly mayHaveLost: boolean;
}

export interface RecoverOptions {
  readonly runId: string;
  readonly genesis: string;
  readonly ledgerPath: string;
  readonly tail: LedgerTail;
  /** Ledger of the newest checkpoint that verifies. */
  readonly manifest: { readonly source: string; readonly entries: readonly LedgerEntry[] } | null;
  /** Further copies, such as workers'. */
  readonly others: readonly LedgerCopy[];
  readonly log: Log;
}

/** Reads all copies and chooses. Throws LEDGER_DIVERGED when two of them tell different mathematics. */
export async function recoverLedger(options: RecoverOptions): Promise<Recovered> {
  const { runId, genesis, manifest, log } = options;
  const origin = genesisPoint(runId, genesis);
  const copies: LedgerCopy[] = [await fileCopy(options), await redisCopy(options), ...options.others];
  if (manifest !== null) copies.push({ source: manifest.source, entries: manifest.entries });
  const anchors: [Anchor] = [{ ...origin, source: 'genesis' }];
  const choice = longestVerified(copies, anchors);
  for (const rejected of choice.rejected)
    log.warn({ ...rejected }, 'a copy of the ledger was not used whole');
  if (choice.kind !== 'head') {
    const { step, sources, mathHashes } = choice.divergence;
    throw new CriaError(
      'LEDGER_DIVERGED',
      `step ${step} has two histories: ${sources[0]} says ${mathHashes[0]}, ${sources[1]} says ${mathHashes[1]}. ` +
        'Keep both files and start a new run from a checkpoint that you trust',
      { context: { step } },
    );
  }
  const mayHaveLost = choice.opsForkStep !== null || choice.resealedFrom !== null;
  log.info({ head: choice.head.step, source: choice.source }, 'ledger recovered');
  return { head: choice.head, entries: choice.entries, mayHaveLost };
}

/** Makes Redis hold the newest part of what the leader holds, from `fromStep` on. */
export async function refillRedis(
  tail: LedgerTail,
  term: Term,
  { recovered, origin, fromStep }: { recovered: Recovered; origin: ChainPoint; fromStep: number },
): Promise<'ok' | 'fenced'> {
  const lines: TailEntry[] = [];
  const first = recovered.entries[0]?.math.step ?? 0;
  const before = recovered.entries[fromStep - first - 1];
  const base = before === undefined ? origin : pointAfter(before);
  let previous: ChainPoint = base;
  for (const entry of before === undefined ? recovered.entries : recovered.entries.slice(fromStep - first)) {
    const { mathHash } = entry;
    lines.push({
      step: entry.math.step,
      prevMathHash: previous.mathHash,
      mathHash,
      entry: formatLine(entry),
    });
    previous = { step: entry.math.step, mathHash, opsHash: entry.opsHash };
  }
  const result = await tail.refill(term, { step: base.step, mathHash: base.mathHash }, lines);
  if (result.kind === 'ok') return 'ok';
  if (result.kind === 'fenced') return 'fenced';
  throw new CriaError('LEDGER_DIVERGED', `Redis holds another history up to step ${result.head.step}`, {
    context: { step: result.head.step },
  });
}

/** The leader's own file, written anew: a deposed leader keeps writing into the old one, which is gone. */
export function takeOverFile(
  path: string,
  recovered: Recovered,
  origin: ChainPoint,
  term: Term,
): Promise<LedgerFile> {
  const owner = `term-${term.number}-${term.leader}`;
  return LedgerFile.takeOver({ path, from: origin, entries: recovered.entries, owner });
}

async function fileCopy({ ledgerPath, log }: RecoverOptions): Promise<LedgerCopy> {
  if (!existsSync(ledgerPath)) return { source: 'ledger.jsonl', entries: [] };
  try {
    const { entries, cutOff } = await loadLedger(ledgerPath);
    if (cutOff !== null)
      log.warn({ line: cutOff.line }, 'ledger.jsonl ends in the middle of a line; that line is dropped');
    return { source: 'ledger.jsonl', entries };
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return { source: 'ledger.jsonl', entries: [] };
    log.warn({ error: String(error) }, 'ledger.jsonl cannot be used');
    return { source: 'ledger.jsonl', entries: [] };
  }
}

async function redisCopy({ tail, log }: RecoverOptions): Promise<LedgerCopy> {
  const head = await tail.head();
  if (head === null || head.step < 0) return { source: 'redis', entries: [] };
  const kept = await tail.range(await tail.firstStep(), head.step);
  const { copy, faults } = parseCopy(
    'redis',
    kept.map((entry) => entry.entry),
  );
  for (const fault of faults) log.warn({ fault: fault.message }, 'an entry in Redis cannot be used');
  return copy;
}
