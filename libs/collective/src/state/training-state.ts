// The trained state and the accumulator, in memory that engine thread, exchange thread and main thread share.
//
// A seqlock per part makes a torn read impossible: while the engine thread rewrites a part its version is odd, and
// whoever copied it meanwhile sees that the version changed and throws the copy away.
import { assert } from '@cria/runtime';
import type { Accumulator } from '@cria/kernels';
import { createAccumulator, partCount, partRange } from '@cria/kernels';

/** Everything here is over SharedArrayBuffers, so the object can be posted to threads as it is. */
export interface SharedTrainingState {
  readonly params: Float32Array;
  readonly expAvg: Float32Array;
  readonly expAvgSq: Float32Array;
  readonly accumulator: Accumulator;
  /** Per part: 2 * position while stable, odd while the step from that position is being applied. */
  readonly partVersion: Int32Array;
}

/** Odd, so that it reads as being rewritten. */
const NOTHING_HERE = 1;

/** A copy of one part of the state: `params`, `expAvg`, `expAvgSq` one after the other, little-endian f32. */
export interface StatePart {
  readonly position: number;
  readonly bytes: Uint8Array;
}

/** Bytes of the state per value: three f32. */
export const STATE_BYTES_PER_VALUE = 12;

/** Allocates the state of `length` parameters (padded to whole blocks by the layout), all zero, at position 0. */
export function createTrainingState(length: number): SharedTrainingState {
  const array = (): Float32Array => new Float32Array(new SharedArrayBuffer(4 * length));
  return {
    params: array(),
    expAvg: array(),
    expAvgSq: array(),
    accumulator: createAccumulator(length, true),
    partVersion: new Int32Array(new SharedArrayBuffer(4 * partCount(length))),
  };
}

/** Marks a part as being rewritten by the step from its position; only the thread that applies calls this. */
export function beginPartApply(state: SharedTrainingState, part: number): void {
  const before = Atomics.add(state.partVersion, part, 1);
  assert(before % 2 === 0, `part ${part} is applied by one thread at a time`);
}

/** Ends what {@link beginPartApply} began: the part is at the next position. */
export function endPartApply(state: SharedTrainingState, part: number): void {
  const before = Atomics.add(state.partVersion, part, 1);
  assert(before % 2 === 1, `part ${part} was being applied`);
}

/** Position of a part, or null while it is being rewritten. */
export function partPosition(state: SharedTrainingState, part: number): number | null {
  const version = Atomics.load(state.partVersion, part);
  return version % 2 === 0 ? version / 2 : null;
}

/** Declares all parts to be at `position`: after loading a checkpoint or the seeded start. */
export function setPosition(state: SharedTrainingState, position: number): void {
  for (let part = 0; part < state.partVersion.length; part++) {
    Atomics.store(state.partVersion, part, 2 * position);
  }
}

/** A copy of a part together with its position, or null when it was rewritten meanwhile: ask again. */
export function readPartStable(state: SharedTrainingState, part: number): StatePart | null {
  const before = Atomics.load(state.partVersion, part);
  if (before % 2 === 1) return null;
  const { from, to } = partRange(part, state.params.length);
  const copy = new Float32Array(3 * (to - from));
  [state.params, state.expAvg, state.expAvgSq].forEach((array, i) => {
    copy.set(array.subarray(from, to), i * (to - from));
  });
  // A read-modify-write, not a load: the copy's plain reads must not move below it on weakly ordered processors.
  const after = Atomics.add(state.partVersion, part, 0);
  return after === before ? { position: before / 2, bytes: new Uint8Array(copy.buffer) } : null;
}

/** Overwrites a part with bytes from a donor and sets its position. The part must not be in use. */
export function writePart(state: SharedTrainingState, part: number, source: StatePart): void {
  const { from, to } = partRange(part, state.params.length);
  const size = to - from;
  assert(source.bytes.length === STATE_BYTES_PER_VALUE * size, `part ${part} has ${size} values`);
  const aligned = source.bytes.byteOffset % 4 === 0 ? source.bytes : Uint8Array.from(source.bytes);
  const values = new Float32Array(aligned.buffer, aligned.byteOffset, 3 * size);
  Atomics.store(state.partVersion, part, 2 * source.position + 1);
  [state.params, state.expAvg, state.expAvgSq].forEach((array, i) => {
    array.set(values.subarray(i * size, (i + 1) * size), from);
  });
  Atomics.store(state.partVersion, part, 2 * source.position);
}

/** Nothing that is there counts: no part is served until it was written or {@link setPosition} is called. */
export function clearPosition(state: SharedTrainingState): void {
  for (let part = 0; part < state.partVersion.length; part++)
    Atomics.store(state.partVersion, part, NOTHING_HERE);
}
