// One entry as one line of ledger.jsonl: flat enough for jq, floats twice (a number to read, null when
// it is not finite, and the bits that count). A line has exactly one spelling, so a byte changed
// anywhere, even in a number that only people read, is found.
import { CriaError } from '@cria/runtime';
import { LEDGER_VERSION } from './canonical.js';
import { faultOf, memberAt, type FieldFault } from './entry-check.js';
import type { LedgerEntry, LedgerMath, LedgerOps } from './entry.js';
import { f32Bits, f32FromBits, f64Bits, f64FromBits } from './float-bits.js';

const readable = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** The entry's line, without the newline. */
export function formatLine({ math, ops, mathHash, opsHash }: LedgerEntry): string {
  return JSON.stringify({
    version: LEDGER_VERSION,
    step: math.step,
    tokens: math.tokens,
    lr: readable(math.lr),
    lrBits: f32Bits(math.lr),
    stateDigest: math.stateDigest,
    gradDigest: math.gradDigest,
    gradNorm: readable(math.gradNorm),
    gradNormBits: f64Bits(math.gradNorm),
    loss: readable(math.loss),
    lossBits: f64Bits(math.loss),
    flagged: math.flagged,
    verdict: math.verdict,
    mathHash,
    term: { number: ops.term.number, leader: ops.term.leader },
    attempt: ops.attempt,
    members: ops.members.map(({ worker, slots }) => ({ worker, slots })),
    recomputed: ops.recomputed,
    desired: {
      revision: ops.desired.revision,
      target: ops.desired.target,
      paused: ops.desired.paused,
    },
    recovered: ops.recovered,
    wallMs: ops.wallMs,
    note: ops.note,
    opsHash,
  });
}

/**
 * Reads one line. Strict: unknown fields, another spelling and floats that contradict their bits are errors.
 *
 * @param where how error messages name the line, such as `ledger.jsonl line 17`
 * @throws CriaError LEDGER_CORRUPT with the place and the field
 */
export function parseLine(text: string, where = 'ledger line'): LedgerEntry {
  const record = parseRecord(text, where);
  const entry = entryOf(record, where);
  const fault = faultOf(entry.math, entry.ops) ?? hashFault(entry) ?? floatFault(record, entry.math);
  if (fault !== null) throw corrupt(where, fault);
  if (formatLine(entry) !== text) {
    throw corrupt(where, { field: 'line', expected: 'spelt exactly as Cria writes it; it was edited' });
  }
  return entry;
}

function parseRecord(text: string, where: string): object {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (cause) {
    throw corrupt(where, { field: 'line', expected: 'JSON' }, cause);
  }
  if (typeof record !== 'object' || record === null)
    throw corrupt(where, { field: 'line', expected: 'an object' });
  if (memberAt(record, 'version') !== LEDGER_VERSION) {
    throw corrupt(where, { field: 'version', expected: `${LEDGER_VERSION}, the version this Cria reads` });
  }
  return record;
}

/** The entry as the record claims it to be; `faultOf` then checks the types that are only claimed here. */
function entryOf(record: object, where: string): LedgerEntry {
  const at = (field: string): never => memberAt(record, field) as never;
  const bits = (field: string, read: (text: string) => number | null): number => {
    const value = read(String(memberAt(record, field)));
    if (value === null) throw corrupt(where, { field, expected: 'the hex digits of a float' });
    return value;
  };
  const math: LedgerMath = {
    step: at('step'),
    tokens: at('tokens'),
    lr: bits('lrBits', f32FromBits),
    stateDigest: at('stateDigest'),
    gradDigest: at('gradDigest'),
    gradNorm: bits('gradNormBits', f64FromBits),
    loss: bits('lossBits', f64FromBits),
    flagged: at('flagged'),
    verdict: at('verdict'),
  };
  const ops: LedgerOps = {
    term: at('term'),
    attempt: at('attempt'),
    members: at('members'),
    recomputed: at('recomputed'),
    desired: at('desired'),
    ...(Object.hasOwn(record, 'recovered') ? { recovered: at('recovered') } : {}),
    wallMs: at('wallMs'),
    ...(Object.hasOwn(record, 'note') ? { note: at('note') } : {}),
  };
  return { math, ops, mathHash: at('mathHash'), opsHash: at('opsHash') };
}

function hashFault(entry: LedgerEntry): FieldFault | null {
  for (const field of ['mathHash', 'opsHash'] as const) {
    const value: unknown = entry[field];
    if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) {
      return { field, expected: '64 lower-case hex digits' };
    }
  }
  return null;
}

function floatFault(record: object, math: LedgerMath): FieldFault | null {
  for (const field of ['lr', 'gradNorm', 'loss'] as const) {
    const expected = JSON.stringify(readable(math[field]));
    if (JSON.stringify(memberAt(record, field)) !== expected)
      return { field, expected: `${expected}, as ${field}Bits says` };
  }
  return null;
}

function corrupt(where: string, { field, expected }: FieldFault, cause?: unknown): CriaError {
  return new CriaError('LEDGER_CORRUPT', `${where}: ${field} must be ${expected}`, {
    context: { where, field },
    cause,
  });
}
