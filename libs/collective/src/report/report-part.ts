// The report part: one more part of the flat gradient, summed like the rest, that says what is in the sum.
//
// Per slot: count, loss bits, tokens, flag, L of each part; all unsigned 64-bit, summed mod 2^64. A member writes
// rows for its own slots only, so in the whole sum every count is 1 and every other word is its slot's.
import { assert, CriaError } from '@cria/runtime';

/** What a computed slot says about itself. */
export interface SlotResult {
  readonly slot: number;
  /** Bits of the f32 mean loss over the slot's tokens. */
  readonly lossBits: number;
  readonly tokens: number;
  /** Whether a gradient value was not finite or too large for the grid. */
  readonly flagged: boolean;
  /** L of the rounded slot gradient, per part. */
  readonly digests: BigUint64Array;
}

const COUNT = 0;
const LOSS = 1;
const TOKENS = 2;
const FLAG = 3;
const DIGESTS = 4;

/** The vector, and the checks that go with it. */
export class ReportPart {
  readonly slots: number;
  readonly parts: number;
  readonly #words: BigUint64Array<ArrayBuffer>;

  constructor(slots: number, parts: number, words?: BigUint64Array<ArrayBuffer>) {
    this.slots = slots;
    this.parts = parts;
    this.#words = words ?? new BigUint64Array(slots * (DIGESTS + parts));
    assert(this.#words.length === slots * (DIGESTS + parts), 'a report has a row per slot');
  }

  /** Bytes of an encoded report. */
  static sizeBytes(slots: number, parts: number): number {
    return 8 * slots * (DIGESTS + parts);
  }

  /** @throws PEER_DAMAGED when the length is not that of a report of this run */
  static decode(bytes: Uint8Array, slots: number, parts: number): ReportPart {
    const expectedBytes = ReportPart.sizeBytes(slots, parts);
    if (bytes.length !== expectedBytes) {
      throw new CriaError('PEER_DAMAGED', `a report has ${bytes.length} bytes, not ${expectedBytes}`);
    }
    return new ReportPart(slots, parts, new BigUint64Array(Uint8Array.from(bytes).buffer));
  }

  /** Little-endian u64 words, slot by slot. */
  encode(): Uint8Array {
    return Uint8Array.from(new Uint8Array(this.#words.buffer));
  }

  /** Adds a computed slot: count 1. */
  addSlot(result: SlotResult): void {
    assert(result.slot >= 0 && result.slot < this.slots, `slot ${result.slot} is one of ${this.slots}`);
    assert(result.digests.length === this.parts, `slot ${result.slot} has a digest per part`);
    const row = this.#row(result.slot);
    row[COUNT] += 1n;
    row[LOSS] += BigInt(result.lossBits >>> 0);
    row[TOKENS] += BigInt(result.tokens);
    row[FLAG] += result.flagged ? 1n : 0n;
    result.digests.forEach((digest, part) => (row[DIGESTS + part] += digest));
  }

  /** Adds another member's report, mod 2^64. */
  add(other: ReportPart): void {
    assert(other.slots === this.slots && other.parts === this.parts, 'reports of one run have one shape');
    other.#words.forEach((word, i) => (this.#words[i] += word));
  }

  /** Slots whose count is not 1. */
  wrongCounts(): Array<{ slot: number; count: number }> {
    return Array.from({ length: this.slots }, (_, slot) => ({ slot, count: this.count(slot) })).filter(
      ({ count }) => count !== 1,
    );
  }

  /** How often a slot is in the sum. */
  count(slot: number): number {
    return Number(this.#row(slot)[COUNT]);
  }

  /** Sum over the slots of L of a part, mod 2^64. */
  partDigest(part: number): bigint {
    let sum = 0n;
    for (let slot = 0; slot < this.slots; slot++) sum += this.#row(slot)[DIGESTS + part];
    return BigInt.asUintN(64, sum);
  }

  /** Whether the sum of a part holds just what the slots' own digests say: L(sum) = sum of L. */
  checkSum(part: number, sumDigest: bigint): boolean {
    return this.partDigest(part) === sumDigest;
  }

  /** What the report says about one slot; meaningful where its count is 1. */
  slot(slot: number): SlotResult {
    const row = this.#row(slot);
    return {
      slot,
      lossBits: Number(BigInt.asUintN(32, row[LOSS])),
      tokens: Number(row[TOKENS]),
      flagged: row[FLAG] !== 0n,
      digests: row.slice(DIGESTS),
    };
  }

  #row(slot: number): BigUint64Array {
    const length = DIGESTS + this.parts;
    return this.#words.subarray(slot * length, (slot + 1) * length);
  }
}
