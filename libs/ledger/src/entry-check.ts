// The rules an entry's fields obey, checked at run time: for an entry that is about to be sealed as
// well as for one that was read from a file.
import type { LedgerMath, LedgerOps } from './entry.js';

export interface FieldFault {
  readonly field: string;
  /** What the field has to be. */
  readonly expected: string;
}

/** Says what the value has to be, or null when it is that. */
type Check = (value: unknown) => string | null;

const rule =
  (expected: string, holds: (value: unknown) => boolean): Check =>
  (value) =>
    holds(value) ? null : expected;

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const count = rule('a whole number from 0', isCount);
const digest = rule(
  '16 lower-case hex digits',
  (value) => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value),
);
const float64 = rule('a number', (value) => typeof value === 'number');
const float32 = rule(
  'a number that f32 holds exactly',
  (value) => typeof value === 'number' && (Number.isNaN(value) || Math.fround(value) === value),
);
const name = rule('a text that is not empty', (value) => typeof value === 'string' && value.length > 0);
const flag = rule('true or false', (value) => typeof value === 'boolean');
const slots = rule(
  'slot numbers in ascending order, each once',
  (value) =>
    Array.isArray(value) &&
    value.every(
      (slot, i) => isCount(slot) && (i === 0 || slot > (value as unknown as readonly number[])[i - 1]!),
    ),
);
const verdict = rule('use, skip or stop', (value) => value === 'use' || value === 'skip' || value === 'stop');

const MATH_CHECKS: Readonly<Record<keyof LedgerMath, Check>> = {
  step: count,
  tokens: count,
  lr: float32,
  stateDigest: digest,
  gradDigest: digest,
  gradNorm: float64,
  loss: float64,
  flagged: slots,
  verdict,
};

const OPS_CHECKS: ReadonlyArray<readonly [field: string, check: Check]> = [
  ['term.number', count],
  ['term.leader', name],
  ['attempt', count],
  ['recomputed', slots],
  ['desired.revision', count],
  ['desired.target', count],
  ['desired.paused', flag],
  ['recovered', rule('true, or absent', (value) => value === undefined || value === true)],
  ['wallMs', count],
  ['note', rule('a text, or absent', (value) => value === undefined || typeof value === 'string')],
];

/** The first field that breaks a rule, or null. Takes entries of unknown origin. */
export function faultOf(math: LedgerMath, ops: LedgerOps): FieldFault | null {
  for (const [field, check] of Object.entries(MATH_CHECKS)) {
    const expected = check(math[field as keyof LedgerMath]);
    if (expected !== null) return { field, expected };
  }
  for (const [field, check] of OPS_CHECKS) {
    const expected = check(memberAt(ops, field));
    if (expected !== null) return { field, expected };
  }
  return membersFault(ops.members);
}

function membersFault(members: unknown): FieldFault | null {
  if (!Array.isArray(members)) return { field: 'members', expected: 'a list of {worker, slots}' };
  for (const [i, member] of members.entries()) {
    for (const [key, check] of [
      ['worker', name],
      ['slots', slots],
    ] as const) {
      const expected = check(memberAt(member, key));
      if (expected !== null) return { field: `members[${i}].${key}`, expected };
    }
  }
  return null;
}

/** `memberAt({a: {b: 1}}, 'a.b')` is 1; undefined where the way ends. */
export function memberAt(value: unknown, path: string): unknown {
  let here = value;
  for (const key of path.split('.')) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}
