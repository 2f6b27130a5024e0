import { describe, expect, it } from 'vitest';
import { A, B, Bench, twoAtWork } from './leader-bench.js';

/** A worker at step 7 with entries, and a leader whose ledger ends at step 4. */
function behindItsWorker(entriesFirst: number): Bench {
  const bench = new Bench({ head: 4 });
  return bench.hello(A, { empty: false, position: 7, entriesFirst, entriesEnd: 7 });
}

describe('ledger entries that only a worker has', () => {
  it('are asked for once, and nothing is computed before they are there', () => {
    const bench = behindItsWorker(2);
    expect(bench.did('fetch-entries')).toEqual([{ do: 'fetch-entries', worker: A, from: 4 }]);
    expect(bench.hello(B, { empty: false, position: 4 }).did('fetch-entries')).toEqual([]);
    bench.on({ kind: 'tick' }, 2000);
    expect(bench.state.phase).toBe('gather');
    expect(bench.did('grant')).toEqual([]);
    bench.hello(A, { empty: false, position: 7, entriesFirst: 2, entriesEnd: 7 });
    expect(bench.did('fetch-entries')).toEqual([]);
  });

  it('end this leadership: the next one finds the head with them', () => {
    const bench = behindItsWorker(4).on({ kind: 'entries-fetched', worker: A, end: 7 });
    expect(bench.did('step-down')).toMatchObject([
      { why: expect.stringContaining('up to step 7') as string },
    ]);
  });

  it('count for nothing when they do not verify: the run goes on from what the ledger has', () => {
    const bench = behindItsWorker(4).hello(B, { empty: false, position: 4 });
    bench.on({ kind: 'entries-fetched', worker: A, end: 4 }).on({ kind: 'tick' }, 2000);
    expect(bench.did('step-down')).toEqual([]);
    expect(bench.did('welcome')).toMatchObject([
      { worker: A, role: 'wait' },
      { worker: B, role: 'member', step: 4 },
    ]);
  });

  it('are of no use when they begin beyond the ledger, until it gets there', () => {
    const bench = behindItsWorker(5).hello(B, { empty: false, position: 4 }).on({ kind: 'tick' }, 2000);
    expect(bench.state.askedForEntries).toEqual(new Set());
    bench.prepared(B).appended(4);
    expect(bench.did('fetch-entries')).toEqual([{ do: 'fetch-entries', worker: A, from: 5 }]);
    expect(bench.did('grant')).toEqual([]);
  });

  it('are computed again when nobody has them: who is ahead of the ledger begins anew where the run is', () => {
    const bench = behindItsWorker(7).on({ kind: 'tick' }, 2000);
    expect(bench.did('welcome')).toMatchObject([{ worker: A, role: 'wait' }]);
    bench.on({ kind: 'contact', worker: A }, 2000).on({ kind: 'tick' });
    expect(bench.did('evict')).toEqual([]);
    bench.on({ kind: 'contact', worker: A }, 2000).on({ kind: 'tick' });
    expect(bench.did('evict')).toMatchObject([{ worker: A, mayReturn: true }]);
  });

  it('are no reason to ask while the run is where they end', () => {
    const bench = twoAtWork().prepared(A).prepared(B).appended(0);
    bench.hello(B, { empty: false, position: 1, entriesFirst: 0, entriesEnd: 1 });
    expect(bench.did('fetch-entries')).toEqual([]);
  });
});
