import type { StepTail } from '@cria/runtime';
import type { PartAnswer } from '../wire/part-source.js';

/** The ledger lines from step `from` on, each ended by a newline, for a leader that lacks them. */
export function ledgerPart(kept: StepTail<string>, from: number): PartAnswer {
  const lines = kept.from(from);
  if (lines === null) return { kind: 'refused', reason: `lines begin at step ${kept.first} here` };
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''), 'utf8');
  return { kind: 'part', bytes, digest: 0n, position: kept.end, slots: [] };
}
