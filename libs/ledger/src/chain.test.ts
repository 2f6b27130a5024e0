import { Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { genesisPoint, mathFollows, pointAfter, seal } from './chain.js';
import type { LedgerEntry, LedgerMath, LedgerOps } from './entry.js';
import {
  SAMPLE_GENESIS,
  SAMPLE_RUN,
  sampleLedger,
  sampleMath,
  sampleOps,
  sampleStart,
} from './sample-ledger.js';
import { verifyChain } from './verify.js';

describe('the chains', () => {
  it('give known hashes, so that another version of the code cannot change them unseen', () => {
    const math: LedgerMath = {
      step: 0,
      tokens: 4096,
      lr: Math.fround(5e-5),
      stateDigest: '0123456789abcdef',
      gradDigest: 'fedcba9876543210',
      gradNorm: 1.25,
      loss: NaN,
      flagged: [2],
      verdict: 'skip',
    };
    const sealed = seal(genesisPoint('r', 'aa'.repeat(32)), math, sampleOps(0));
    expect(sealed.mathHash).toBe('4ec494a8ebf19f706837b353b3a97fc6a64b4aa6bb55e9209549ffffe8033af7');
    expect(sealed.opsHash).toBe('eabded05501a04dd6e08b0ab563d06eb05ceaaf924024268eb494b789c598f84');
  });

  it('begin with the genesis, and the ops chain with the run too', () => {
    const other = genesisPoint('another-run', SAMPLE_GENESIS);
    expect(other.mathHash).toBe(sampleStart.mathHash);
    expect(other.opsHash).not.toBe(sampleStart.opsHash);
  });

  it('share mathHash between runs that differ only in what happened', () => {
    const calm = sampleLedger({ count: 5 });
    const rough = sampleLedger({
      count: 5,
      ops: (step) => ({ attempt: 7 * step, term: { number: step, leader: 'c2' }, note: 'kill' }),
    });
    expect(rough.map((entry) => entry.mathHash)).toEqual(calm.map((entry) => entry.mathHash));
    expect(rough[0]?.opsHash).not.toBe(calm[0]?.opsHash);
  });

  it('tell a worker whether an entry continues its state', () => {
    const [first, second] = sampleLedger({ count: 2 }) as [LedgerEntry, LedgerEntry];
    expect(mathFollows(sampleStart, first)).toBe(true);
    expect(mathFollows(sampleStart, second)).toBe(false);
    expect(mathFollows({ step: 0, mathHash: first.mathHash }, second)).toBe(true);
    expect(mathFollows({ step: 0, mathHash: SAMPLE_GENESIS }, second)).toBe(false);
  });
});

describe('verifying a chain', () => {
  const entries = sampleLedger({ count: 20 });

  it('accepts what was sealed, from the genesis or from any known place', () => {
    expect(verifyChain(genesisPoint(SAMPLE_RUN, SAMPLE_GENESIS), entries)).toMatchObject({ ok: true });
    const middle = entries[9] as LedgerEntry;
    const report = verifyChain(pointAfter(middle), entries.slice(10));
    expect(report).toMatchObject({ ok: true, head: pointAfter(entries.at(-1) as LedgerEntry) });
  });

  it('names the step of a change in any field of any entry', () => {
    const mathChanges: Array<Partial<LedgerMath>> = [
      { tokens: 1 },
      { lr: 0.25 },
      { stateDigest: '0'.repeat(16) },
      { gradDigest: '0'.repeat(16) },
      { gradNorm: NaN },
      { loss: 1 },
      { flagged: [0] },
      { verdict: 'stop' },
    ];
    const opsChanges: Array<Partial<LedgerOps>> = [
      { term: { number: 2, leader: 'c1' } },
      { term: { number: 1, leader: 'c2' } },
      { attempt: 99 },
      { members: [] },
      { members: [{ worker: 'w3', slots: [0, 1, 2, 3] }] },
      { recomputed: [1] },
      { desired: { revision: 1, target: 2, paused: true } },
      { recovered: true },
      { wallMs: 1 },
      { note: '' },
    ];
    const rng = new Rng(5);
    for (let round = 0; round < 200; round++) {
      const at = rng.below(entries.length);
      const math = mathChanges[rng.below(mathChanges.length)];
      const ops = opsChanges[rng.below(opsChanges.length)];
      const changed = entries.map((entry, i) => {
        if (i !== at) return entry;
        if (rng.below(2) === 0) return { ...entry, math: { ...entry.math, ...math } };
        return { ...entry, ops: { ...entry.ops, ...ops } };
      });
      const report = verifyChain(sampleStart, changed);
      expect(report).toMatchObject({ ok: false, firstBadStep: at, head: { step: at - 1 } });
    }
  });

  it('names the place of a missing, doubled or swapped entry', () => {
    const without = entries.filter((_, i) => i !== 7);
    expect(verifyChain(sampleStart, without)).toMatchObject({ firstBadStep: 7 });
    const doubled = entries.flatMap((entry, i) => (i === 7 ? [entry, entry] : [entry]));
    expect(verifyChain(sampleStart, doubled)).toMatchObject({ firstBadStep: 8 });
    const swapped = entries.with(3, entries[4] as LedgerEntry).with(4, entries[3] as LedgerEntry);
    expect(verifyChain(sampleStart, swapped)).toMatchObject({ firstBadStep: 3 });
  });

  it('finds an entry sealed anew in the middle at the step behind it', () => {
    const at = pointAfter(entries[4] as LedgerEntry);
    const forged = seal(at, { ...sampleMath(5), loss: 1 }, sampleOps(5));
    expect(verifyChain(sampleStart, entries.with(5, forged))).toMatchObject({ firstBadStep: 6 });
  });
});
