// A copy as it comes from Redis, a file or a worker: lines of text, of which some may be damaged.
import { CriaError } from '@cria/runtime';
import type { LedgerEntry } from './entry.js';
import type { LedgerCopy } from './head.js';
import { parseLine } from './line.js';

/** Reads what can be read: a damaged line leaves a hole that {@link longestVerified} can fill from another copy. */
export function parseCopy(
  source: string,
  lines: Iterable<string>,
): { readonly copy: LedgerCopy; readonly faults: readonly CriaError[] } {
  const entries: LedgerEntry[] = [];
  const faults: CriaError[] = [];
  let line = 0;
  for (const text of lines) {
    line++;
    try {
      entries.push(parseLine(text, `${source} line ${line}`));
    } catch (error) {
      faults.push(CriaError.from(error, 'LEDGER_CORRUPT'));
    }
  }
  return { copy: { source, entries }, faults };
}
