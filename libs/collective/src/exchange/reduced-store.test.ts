import { describe, expect, it } from 'vitest';
import type { Prepared } from './order.js';
import { ReducedStore } from './reduced-store.js';
import { SharedRooms } from './shared-rooms.js';

const PARTS = 3;
const REPORT = PARTS;
const BYTES = 10_000;

/** Steps of a run, each of whose parts is full of the step's number. */
class Bench {
  readonly rooms = new SharedRooms();
  readonly store = new ReducedStore(this.rooms);
  readonly buffers = new Set<ArrayBufferLike>();

  begin(step: number): void {
    this.store.begin(step, PARTS + 1);
  }

  put(step: number, part: number, sizeBytes = BYTES): Uint8Array {
    const bytes = this.rooms.take(sizeBytes).fill(step);
    this.buffers.add(bytes.buffer);
    this.store.put(part, { bytes, digest: 0n });
    return bytes;
  }

  /** The whole exchange of a step; sums shrink and grow a little. */
  reduce(step: number): void {
    this.begin(step);
    for (let part = 0; part < PARTS; part++) this.put(step, part, BYTES + 100 * ((step + part) % 4));
    this.store.put(REPORT, { bytes: new Uint8Array(8), digest: 0n });
    this.store.finish({ step, gradDigest: `g${step}` } as Prepared);
  }
}

describe('memory of sums', () => {
  it('is used again: as much as one sum needs, and what is under way', () => {
    const bench = new Bench();
    for (let step = 0; step < 50; step++) bench.reduce(step);
    expect(bench.buffers.size).toBe(PARTS + 1);
  });

  it('stays with whoever holds a sum, until they release it', () => {
    const bench = new Bench();
    bench.reduce(1);
    const held = bench.store.hold(1)!;
    const again = bench.store.hold(1)!;
    for (const step of [2, 3, 4]) bench.reduce(step);
    bench.store.release(again.hold);
    for (const step of [5, 6, 7]) bench.reduce(step);
    expect(held.parts.map((part) => new Set(part))).toEqual([new Set([1]), new Set([1]), new Set([1])]);
    bench.store.release(held.hold);
    const before = bench.buffers.size;
    for (let step = 8; step < 20; step++) bench.reduce(step);
    expect(bench.buffers.size).toBe(before);
  });

  it('stays as it is while a part is sent to somebody', () => {
    const bench = new Bench();
    bench.reduce(1);
    const { bytes, giveBack } = bench.store.lend(1, 2)!;
    bench.reduce(2);
    bench.reduce(3);
    expect(new Set(bytes)).toEqual(new Set([1]));
    giveBack();
    giveBack();
    bench.reduce(4);
    expect(new Set(bytes)).not.toEqual(new Set([1]));
  });

  it('is free again when a sum is dropped or its exchange begins anew', () => {
    const bench = new Bench();
    for (let attempt = 0; attempt < 10; attempt++) {
      bench.begin(1);
      bench.put(1, 0);
      bench.put(1, 1);
    }
    bench.store.drop(1);
    bench.reduce(1);
    expect(bench.buffers.size).toBe(PARTS);
  });

  it('serves a step behind until its parts are overwritten, one by one', () => {
    const bench = new Bench();
    bench.reduce(1);
    bench.begin(2);
    bench.put(2, 1);
    expect(bench.store.lend(1, 0)?.bytes[0]).toBe(1);
    expect(bench.store.lend(1, 1)).toBe(null);
    expect(bench.store.lend(2, 1)?.bytes[0]).toBe(2);
  });
});
