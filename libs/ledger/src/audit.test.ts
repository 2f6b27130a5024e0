import { describe, expect, it } from 'vitest';
import { audit, type AuditInput, type ManifestFacts } from './audit.js';
import { pointAfter } from './chain.js';
import type { LedgerEntry } from './entry.js';
import { SAMPLE_GENESIS, SAMPLE_RUN, SAMPLE_SLOTS, SAMPLE_TOKENS, sampleLedger } from './sample-ledger.js';

const entries = sampleLedger({ count: 20 });

function manifestAt(step: number, ledger: readonly LedgerEntry[] = entries): ManifestFacts {
  const point = pointAfter(ledger[step - 1] as LedgerEntry);
  return {
    step,
    runId: SAMPLE_RUN,
    genesis: SAMPLE_GENESIS,
    mathHash: point.mathHash,
    opsHash: point.opsHash,
    stateDigest: ledger[step]?.math.stateDigest ?? 'f'.repeat(16),
    term: (ledger[step - 1] as LedgerEntry).ops.term,
  };
}

const input = (change: Partial<AuditInput> = {}): AuditInput => ({
  entries,
  runId: SAMPLE_RUN,
  genesis: SAMPLE_GENESIS,
  sequenceLength: 16,
  globalBatch: 8,
  slots: SAMPLE_SLOTS,
  manifests: [manifestAt(10), manifestAt(20)],
  ...change,
});

describe('an audit', () => {
  it('proves a sound ledger', async () => {
    expect(await audit(input())).toEqual({
      ok: true,
      steps: 20,
      tokens: 20 * SAMPLE_TOKENS,
      skippedTokens: 0,
      gaps: 0,
      overlaps: 0,
      mathHash: entries.at(-1)?.mathHash,
      opsHash: entries.at(-1)?.opsHash,
      firstBadStep: null,
      problems: [],
    });
  });

  it('counts the tokens of steps whose update was left out', async () => {
    const ledger = sampleLedger({
      count: 6,
      math: (math) => (math.step === 2 ? { ...math, verdict: 'skip', flagged: [1] } : math),
    });
    expect(await audit(input({ entries: ledger, manifests: [] }))).toMatchObject({
      ok: true,
      tokens: 6 * SAMPLE_TOKENS,
      skippedTokens: SAMPLE_TOKENS,
    });
  });

  it('finds a changed field and stops counting there', async () => {
    const victim = entries[7] as LedgerEntry;
    const changed = entries.with(7, { ...victim, math: { ...victim.math, loss: 0 } });
    const report = await audit(input({ entries: changed, manifests: [] }));
    expect(report).toMatchObject({ ok: false, steps: 7, firstBadStep: 7, mathHash: entries[6]?.mathHash });
    expect(report.problems[0]).toContain('mathHash of step 7');
  });

  it('counts a missing step as a gap and a doubled one as an overlap', async () => {
    const without = entries.filter((_, i) => i !== 7);
    expect(await audit(input({ entries: without }))).toMatchObject({ gaps: SAMPLE_SLOTS, firstBadStep: 7 });
    const doubled = entries.flatMap((entry, i) => (i === 7 ? [entry, entry] : [entry]));
    expect(await audit(input({ entries: doubled }))).toMatchObject({
      ok: false,
      overlaps: SAMPLE_SLOTS,
      firstBadStep: 8,
    });
  });

  it('counts slots that no share or two shares hold', async () => {
    const members = [
      { worker: 'w1', slots: [0, 1] },
      { worker: 'w2', slots: [1, 3, 9] },
    ];
    const ledger = sampleLedger({ count: 4, ops: (step) => (step === 3 ? { members } : {}) });
    expect(await audit(input({ entries: ledger, manifests: [] }))).toMatchObject({
      ok: false,
      gaps: 1,
      overlaps: 2,
      firstBadStep: 3,
    });
  });

  it('finds a step with another number of tokens', async () => {
    const report = await audit(input({ globalBatch: 9, manifests: [] }));
    expect(report).toMatchObject({ ok: false, firstBadStep: 0 });
    expect(report.problems[0]).toBe('step 0 has 128 tokens, the configuration says 144');
  });

  it('finds a term that falls or has two leaders', async () => {
    for (const [number, leader] of [
      [0, 'c1'],
      [1, 'c2'],
    ] as const) {
      const ledger = sampleLedger({
        count: 6,
        ops: (step) => (step === 4 ? { term: { number, leader } } : {}),
      });
      expect(await audit(input({ entries: ledger, manifests: [] }))).toMatchObject({ firstBadStep: 4 });
    }
  });

  it.each(['runId', 'genesis', 'mathHash', 'opsHash', 'stateDigest'] as const)(
    'finds a manifest with another %s',
    async (field) => {
      const manifest = { ...manifestAt(10), [field]: 'other' };
      const report = await audit(input({ manifests: [manifest, manifestAt(20)] }));
      expect(report.ok).toBe(false);
      expect(report.problems).toEqual([`the manifest of step 10 has another ${field} than the ledger`]);
    },
  );

  it('finds a ledger that ends before a checkpoint', async () => {
    const report = await audit(input({ entries: entries.slice(0, 15) }));
    expect(report).toMatchObject({ ok: false, firstBadStep: 15 });
    expect(report.problems).toEqual(['the checkpoint of step 20 is ahead of the ledger']);
  });

  it('forgives an older manifest the opsHash, and nothing else, after a recovery', async () => {
    const retold = [
      ...entries.slice(0, 8),
      ...sampleLedger({
        from: pointAfter(entries[7] as LedgerEntry),
        count: 12,
        ops: (step) => ({ term: { number: 2, leader: 'c2' }, ...(step === 8 ? { recovered: true } : {}) }),
      }),
    ];
    expect(await audit(input({ entries: retold, manifests: [manifestAt(10)] }))).toMatchObject({ ok: true });
    expect(await audit(input({ entries: retold, manifests: [manifestAt(20, retold)] }))).toMatchObject({
      ok: true,
    });
    const otherMath = { ...manifestAt(10), mathHash: 'other' };
    expect(await audit(input({ entries: retold, manifests: [otherMath] }))).toMatchObject({ ok: false });
    const wrongNow = { ...manifestAt(20, retold), opsHash: 'other' };
    expect(await audit(input({ entries: retold, manifests: [wrongNow] }))).toMatchObject({ ok: false });
  });

  it('judges every verdict again when it knows the rules', async () => {
    const rules = { nonFinite: 'skip', lossSpikeSigmas: 6, onSpike: 'skip' } as const;
    const ledger = (verdict: 'use' | 'skip'): LedgerEntry[] =>
      sampleLedger({
        count: 150,
        math: (math) => (math.step === 140 ? { ...math, loss: 9, verdict } : math),
      });
    expect(await audit(input({ entries: ledger('skip'), manifests: [], rules }))).toMatchObject({ ok: true });
    const report = await audit(input({ entries: ledger('use'), manifests: [], rules }));
    expect(report).toMatchObject({ ok: false, firstBadStep: 140 });
    expect(report.problems[0]).toMatch(/^step 140 says use, the rules say skip \(loss 9 is above/);
  });
});
