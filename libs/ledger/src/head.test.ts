import { Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { pointAfter } from './chain.js';
import { parseCopy } from './copy.js';
import type { LedgerEntry } from './entry.js';
import { longestVerified, type Anchor, type HeadChoice, type LedgerCopy } from './head.js';
import { formatLine } from './line.js';
import { sampleLedger, sampleStart } from './sample-ledger.js';
import { verifyChain } from './verify.js';

const genesis: Anchor = { source: 'genesis', ...sampleStart };
const entries = sampleLedger({ count: 30 });
const entryAt = (step: number): LedgerEntry => entries[step] as LedgerEntry;
const anchorAfter = (step: number, source = 'manifest'): Anchor => ({ source, ...pointAfter(entryAt(step)) });
const copy = (source: string, from: number, end: number): LedgerCopy => ({
  source,
  entries: entries.slice(from, end),
});

function head(choice: HeadChoice): Extract<HeadChoice, { kind: 'head' }> {
  if (choice.kind !== 'head') throw new Error(`diverged at step ${choice.divergence.step}`);
  return choice;
}

function damaged(source: string, from: number, end: number, at: number): LedgerCopy {
  const list = entries.slice(from, end);
  const victim = entryAt(at);
  return { source, entries: list.with(at - from, { ...victim, math: { ...victim.math, loss: 1 } }) };
}

describe('the head', () => {
  it('is the genesis when nobody holds an entry', () => {
    expect(head(longestVerified([copy('redis', 0, 0)], [genesis]))).toMatchObject({
      head: sampleStart,
      source: 'genesis',
      entries: [],
    });
  });

  it('is the longest of several copies', () => {
    const choice = head(longestVerified([copy('a', 0, 10), copy('b', 0, 21), copy('c', 0, 5)], [genesis]));
    expect(choice).toMatchObject({ source: 'b', rejected: [], opsForkStep: null, resealedFrom: null });
    expect(choice.entries).toEqual(entries.slice(0, 21));
  });

  it('stitches copies that begin in the middle, whatever their order', () => {
    const copies = [copy('worker', 18, 25), copy('redis', 10, 20), copy('ledger.jsonl', 0, 12)];
    const choice = head(longestVerified(copies, [genesis]));
    expect(choice.source).toBe('worker');
    expect(choice.entries).toEqual(entries.slice(0, 25));
  });

  it('takes a copy from the middle when a manifest vouches for the place before it', () => {
    const choice = head(longestVerified([copy('redis', 10, 20)], [genesis, anchorAfter(9)]));
    expect(choice.head.step).toBe(19);
    expect(choice.entries[0]).toEqual(entryAt(10));
  });

  it('leaves out a copy that nothing vouches for', () => {
    const choice = head(longestVerified([copy('redis', 10, 20), copy('b', 0, 5)], [genesis]));
    expect(choice).toMatchObject({ source: 'b', head: { step: 4 } });
    expect(choice.rejected).toEqual([
      { source: 'redis', firstBadStep: 10, reason: expect.stringContaining('nothing vouches') as string },
    ]);
  });

  it('is a manifest that is ahead of every copy', () => {
    const choice = head(longestVerified([copy('redis', 0, 5)], [genesis, anchorAfter(9)]));
    expect(choice).toMatchObject({ source: 'manifest', head: pointAfter(entryAt(9)), entries: [] });
  });

  it('uses a damaged copy up to the damage and says so', () => {
    const choice = head(longestVerified([damaged('redis', 0, 20, 12), copy('b', 0, 5)], [genesis]));
    expect(choice).toMatchObject({ source: 'redis', head: { step: 11 } });
    expect(choice.rejected).toMatchObject([{ source: 'redis', firstBadStep: 12 }]);
  });

  it('reaches behind a damaged entry when another copy has it whole', () => {
    const choice = head(longestVerified([damaged('redis', 0, 20, 12), copy('worker', 10, 14)], [genesis]));
    expect(choice).toMatchObject({ source: 'redis', head: { step: 19 }, resealedFrom: null });
    expect(choice.entries).toEqual(entries.slice(0, 20));
  });

  it('fills a line that cannot be read from another copy', () => {
    const lines = entries.slice(0, 20).map(formatLine);
    const { copy: redis, faults } = parseCopy('redis', lines.with(12, 'not JSON'));
    expect(faults.map((fault) => fault.message)).toEqual(['redis line 13: line must be JSON']);
    const choice = head(longestVerified([redis, copy('worker', 10, 14)], [genesis]));
    expect(choice.entries).toEqual(entries.slice(0, 20));
  });

  it('is the longest run of steps of which some copy holds an intact entry, for any copies and damage', () => {
    for (let seed = 0; seed < 300; seed++) {
      const rng = new Rng(seed, 77);
      const intact = new Set<number>();
      const copies: LedgerCopy[] = Array.from({ length: 4 }, (_, i) => {
        const from = rng.below(3) === 0 ? rng.below(12) : 0;
        const end = from + 1 + rng.below(30 - from);
        const bad = rng.below(2) === 0 ? from + rng.below(end - from) : -1;
        for (let step = from; step < end; step++) if (step !== bad) intact.add(step);
        return bad < 0 ? copy(`copy ${i}`, from, end) : damaged(`copy ${i}`, from, end, bad);
      });
      let reach = 0;
      while (intact.has(reach)) reach++;
      const choice = head(longestVerified(copies, [genesis]));
      expect(choice.head.step).toBe(reach - 1);
      expect(choice.entries).toEqual(entries.slice(0, reach));
    }
  });
});

describe('two stories of the same mathematics', () => {
  const common = entries.slice(0, 10);
  const after = pointAfter(entryAt(9));
  const retold = sampleLedger({
    from: after,
    count: 8,
    ops: (step) => ({ term: { number: 2, leader: 'c2' }, ...(step === 10 ? { recovered: true } : {}) }),
  });
  const second: LedgerCopy = { source: 'second', entries: [...common, ...retold] };

  it('are no divergence; the longer one is the head', () => {
    const choice = head(longestVerified([copy('first', 0, 15), second], [genesis]));
    expect(choice).toMatchObject({ source: 'second', opsForkStep: 10, resealedFrom: null });
    expect(head(longestVerified([copy('first', 0, 25), second], [genesis])).source).toBe('first');
  });

  it('are decided by the higher term when equally long', () => {
    for (const copies of [
      [copy('first', 0, 18), second],
      [second, copy('first', 0, 18)],
    ]) {
      expect(head(longestVerified(copies, [genesis])).source).toBe('second');
    }
  });

  it('lose no step that only a holder of both stories has', () => {
    const mixed: LedgerCopy = { source: 'worker', entries: [...entries.slice(0, 12), ...retold.slice(2)] };
    const choice = head(longestVerified([mixed, copy('redis', 0, 5)], [genesis]));
    expect(choice).toMatchObject({ head: { step: 17 }, resealedFrom: 12 });
    expect(choice.entries.map((entry) => entry.mathHash)).toEqual(
      entries.slice(0, 18).map((entry) => entry.mathHash),
    );
    expect(choice.entries.filter((entry) => entry.ops.recovered).map((entry) => entry.math.step)).toEqual([
      12,
    ]);
    expect(verifyChain(sampleStart, choice.entries).ok).toBe(true);
  });
});

describe('a damaged story', () => {
  const edited = (held: LedgerCopy, at: number): LedgerCopy => ({
    ...held,
    entries: held.entries.map((entry) =>
      entry.math.step === at ? { ...entry, ops: { ...entry.ops, note: 'edited' } } : entry,
    ),
  });

  it('is taken from a copy that has it whole, even one that is damaged elsewhere', () => {
    const copies = [edited(copy('redis', 0, 20), 12), edited(copy('worker', 5, 13), 5)];
    const choice = head(longestVerified(copies, [genesis]));
    expect(choice.resealedFrom).toBeNull();
    expect(choice.entries).toEqual(entries.slice(0, 20));
  });

  it('costs no mathematics when nobody has it whole', () => {
    const choice = head(longestVerified([edited(copy('redis', 0, 20), 12)], [genesis]));
    expect(choice).toMatchObject({ head: { step: 19, mathHash: entryAt(19).mathHash }, resealedFrom: 12 });
    expect(verifyChain(sampleStart, choice.entries).ok).toBe(true);
  });
});

describe('other mathematics', () => {
  const other = sampleLedger({
    count: 30,
    math: (math) => (math.step === 13 ? { ...math, gradNorm: math.gradNorm + 1 } : math),
  });

  it('is a divergence that names the step and both copies', () => {
    const choice = longestVerified([copy('redis', 0, 20), { source: 'worker', entries: other }], [genesis]);
    expect(choice).toMatchObject({
      kind: 'diverged',
      divergence: {
        step: 13,
        sources: ['redis', 'worker'],
        mathHashes: [entryAt(13).mathHash, other[13]?.mathHash],
      },
    });
  });

  it('is found in a copy that begins behind the difference', () => {
    const choice = longestVerified(
      [copy('redis', 0, 20), { source: 'worker', entries: other.slice(15) }],
      [genesis],
    );
    expect(choice).toMatchObject({ kind: 'diverged', divergence: { step: 15 } });
  });

  it('is found in a manifest', () => {
    const manifest = { source: 'manifest', ...pointAfter(other[16] as LedgerEntry) };
    expect(longestVerified([copy('redis', 0, 20)], [genesis, manifest])).toMatchObject({
      kind: 'diverged',
      divergence: { step: 16, sources: ['manifest', 'redis'] },
    });
  });

  it('is not cried for a copy that is merely damaged', () => {
    const choice = longestVerified([copy('redis', 0, 20), damaged('worker', 10, 20, 10)], [genesis]);
    expect(choice.kind).toBe('head');
  });
});
