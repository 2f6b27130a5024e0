// Ledgers for tests: plausible entries whose values depend on a seed.
import { Rng } from '@cria/runtime';
import { genesisPoint, pointAfter, seal, type ChainPoint } from './chain.js';
import type { LedgerEntry, LedgerMath, LedgerOps } from './entry.js';

export const SAMPLE_RUN = 'run-7f';
export const SAMPLE_GENESIS = 'ab'.repeat(32);
export const SAMPLE_SLOTS = 4;
export const SAMPLE_TOKENS = 16 * 8;

export const sampleStart: ChainPoint = genesisPoint(SAMPLE_RUN, SAMPLE_GENESIS);

export function sampleMath(step: number, seed = 1): LedgerMath {
  const rng = new Rng(seed, step);
  return {
    step,
    tokens: SAMPLE_TOKENS,
    lr: Math.fround(rng.next() * 1e-3),
    stateDigest: digest(rng),
    gradDigest: digest(rng),
    gradNorm: rng.next() * 10,
    loss: 5 + rng.next(),
    flagged: [],
    verdict: 'use',
  };
}

export function sampleOps(step: number, change: Partial<LedgerOps> = {}): LedgerOps {
  return {
    term: { number: 1, leader: 'c1' },
    attempt: step + 1,
    members: [
      { worker: 'w1', slots: [0, 2] },
      { worker: 'w2', slots: [1, 3] },
    ],
    recomputed: [],
    desired: { revision: 1, target: 2, paused: false },
    wallMs: 1_700_000_000_000 + step,
    ...change,
  };
}

export interface SampleOptions {
  readonly from?: ChainPoint;
  readonly count: number;
  readonly seed?: number;
  readonly math?: (math: LedgerMath) => LedgerMath;
  readonly ops?: (step: number) => Partial<LedgerOps>;
}

/** `count` entries that follow `from`. */
export function sampleLedger({
  from = sampleStart,
  count,
  seed = 1,
  math,
  ops,
}: SampleOptions): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  let head = from;
  for (let i = 0; i < count; i++) {
    const step = head.step + 1;
    const plain = sampleMath(step, seed);
    const entry = seal(head, math?.(plain) ?? plain, sampleOps(step, ops?.(step)));
    entries.push(entry);
    head = pointAfter(entry);
  }
  return entries;
}

function digest(rng: Rng): string {
  return [rng.nextUint32(), rng.nextUint32()].map((word) => word.toString(16).padStart(8, '0')).join('');
}
