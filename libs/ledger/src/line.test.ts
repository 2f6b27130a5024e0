import { CriaError, Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { canonicalMath, canonicalOps } from './canonical.js';
import { seal } from './chain.js';
import type { LedgerEntry } from './entry.js';
import { formatLine, parseLine } from './line.js';
import { sampleLedger, sampleMath, sampleOps, sampleStart } from './sample-ledger.js';
import { verifyChain } from './verify.js';

const [entry] = sampleLedger({ count: 1 }) as [LedgerEntry];

function faultOfLine(text: string): CriaError {
  try {
    parseLine(text, 'ledger.jsonl line 17');
  } catch (error) {
    if (CriaError.is(error)) return error;
    throw error;
  }
  throw new Error(`accepted: ${text}`);
}

describe('a ledger line', () => {
  it('reads back to the same entry', () => {
    const rich = seal(
      sampleStart,
      { ...sampleMath(0), flagged: [1, 3], verdict: 'skip', loss: NaN, gradNorm: Infinity, lr: -0 },
      sampleOps(0, { recovered: true, note: 'two lines\nand "quotes" \u2028', recomputed: [0, 2] }),
    );
    expect(parseLine(formatLine(rich))).toEqual(rich);
    expect(parseLine(formatLine(entry))).toEqual(entry);
  });

  it('holds a float that is not finite as null beside its bits', () => {
    const sealed = seal(sampleStart, { ...sampleMath(0), loss: NaN, gradNorm: -Infinity }, sampleOps(0));
    const record = JSON.parse(formatLine(sealed)) as Record<string, unknown>;
    expect(record).toMatchObject({ loss: null, lossBits: '7ff8000000000000' });
    expect(record).toMatchObject({ gradNorm: null, gradNormBits: 'fff0000000000000' });
  });

  it('hashes the bits, never the readable number', () => {
    const math = sampleMath(0);
    const nudged = { ...math, loss: math.loss + Number.EPSILON * 8 };
    expect(canonicalMath(nudged)).not.toBe(canonicalMath(math));
    expect(canonicalMath(math)).not.toContain(String(math.loss));
  });

  it('gives an absent and an empty note different canonical bytes', () => {
    expect(canonicalOps(sampleOps(0))).not.toBe(canonicalOps(sampleOps(0, { note: '' })));
  });

  it.each([
    ['lr', { lr: 0.5 }],
    ['lrBits', { lrBits: '3f80000' }],
    ['gradNorm', { gradNorm: null }],
    ['lossBits', { lossBits: '7ff8000000000001' }],
    ['step', { step: 1.5 }],
    ['tokens', { tokens: -1 }],
    ['stateDigest', { stateDigest: '0123456789ABCDEF' }],
    ['flagged', { flagged: [2, 1] }],
    ['verdict', { verdict: 'maybe' }],
    ['mathHash', { mathHash: 'ab' }],
    ['term.number', { term: { number: '1', leader: 'c1' } }],
    ['term.leader', { term: { number: 1, leader: '' } }],
    ['members', { members: {} }],
    ['members[0].worker', { members: [{ slots: [1] }] }],
    ['members[0].slots', { members: [{ worker: 'w', slots: [1, 1] }] }],
    ['desired.paused', { desired: { revision: 1, target: 2, paused: 0 } }],
    ['recovered', { recovered: false }],
    ['note', { note: 5 }],
    ['version', { version: 2 }],
    ['line', { extra: 1 }],
  ])('names the field %s when it is wrong', (field, change) => {
    const record = { ...(JSON.parse(formatLine(entry)) as object), ...change };
    const error = faultOfLine(JSON.stringify(record));
    expect(error.code).toBe('LEDGER_CORRUPT');
    expect(error.context).toMatchObject({ where: 'ledger.jsonl line 17', field });
    expect(error.message).toMatch(/^ledger\.jsonl line 17: /);
  });

  it('refuses text that is not a JSON object', () => {
    for (const text of ['', '7', 'null', '{"version":1', 'x'])
      expect(faultOfLine(text).context.field).toBe('line');
  });

  it('refuses another spelling of the same values', () => {
    const text = formatLine(entry);
    const swapped = text.replace('"version":1,"step":0', '"step":0,"version":1');
    for (const other of [
      `${text} `,
      text.replace('"step":0', '"step": 0'),
      text.replace('"step":0', '"step":-0'),
      swapped,
    ]) {
      expect(faultOfLine(other).message).toContain('spelt exactly');
    }
  });

  it('shows a changed byte anywhere, in the line or in the chain', () => {
    const text = formatLine(entry);
    const rng = new Rng(3);
    for (let at = 0; at < text.length; at++) {
      const flipped = text.charCodeAt(at) ^ (1 << rng.below(7));
      const changed = text.slice(0, at) + String.fromCharCode(flipped) + text.slice(at + 1);
      let read: LedgerEntry;
      try {
        read = parseLine(changed);
      } catch (error) {
        expect(CriaError.is(error) && error.code).toBe('LEDGER_CORRUPT');
        continue;
      }
      expect(verifyChain(sampleStart, [read])).toMatchObject({ ok: false, firstBadStep: 0 });
    }
  });
});

describe('sealing', () => {
  it('refuses fields that are out of order', () => {
    expect(() => seal(sampleStart, { ...sampleMath(0), lr: 0.1 }, sampleOps(0))).toThrow(/lr must be/);
    expect(() => seal(sampleStart, { ...sampleMath(0), flagged: [3, 1] }, sampleOps(0))).toThrow(/flagged/);
    expect(() => seal(sampleStart, sampleMath(1), sampleOps(1))).toThrow(/step 1 cannot follow step -1/);
  });
});
