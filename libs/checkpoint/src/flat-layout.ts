// The flat state lies in memory as one padded array per kind; a checkpoint holds it as named tensors
// without the padding. This file is the map between the two.
import { assert } from '@cria/runtime';

/** One tensor in the flat array; offset and size in elements. */
export interface FlatTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/** Structurally the parameter layout of libs/model. */
export interface FlatLayout {
  /** By ascending offset, not overlapping. What lies between them is padding and always 0. */
  readonly tensors: readonly FlatTensor[];
  /** Length of the flat array, padding included. */
  readonly paddedSize: number;
}

/** A stretch of a flat range that lies in one tensor; all in elements. */
export interface TensorSegment {
  /** Index into `layout.tensors`. */
  readonly tensor: number;
  readonly offsetInTensor: number;
  readonly offsetInRange: number;
  readonly count: number;
}

/** The stretches of [from, from + count) that are not padding, in order. */
export function segmentsOf(layout: FlatLayout, from: number, count: number): TensorSegment[] {
  const end = from + count;
  assert(from >= 0 && end <= layout.paddedSize, `[${from}, ${end}) lies outside the flat state`);
  const segments: TensorSegment[] = [];
  for (let tensor = firstTensorEndingAfter(layout, from); tensor < layout.tensors.length; tensor++) {
    const { offset, size } = layout.tensors[tensor] as FlatTensor;
    if (offset >= end) break;
    const start = Math.max(from, offset);
    const stop = Math.min(end, offset + size);
    if (stop <= start) continue;
    segments.push({
      tensor,
      offsetInTensor: start - offset,
      offsetInRange: start - from,
      count: stop - start,
    });
  }
  return segments;
}

function firstTensorEndingAfter(layout: FlatLayout, element: number): number {
  let low = 0;
  let high = layout.tensors.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { offset, size } = layout.tensors[middle] as FlatTensor;
    if (offset + size > element) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Asserts what {@link FlatLayout} promises. */
export function checkLayout(layout: FlatLayout): void {
  let end = 0;
  const names = new Set<string>();
  for (const { name, shape, offset, size } of layout.tensors) {
    assert(offset >= end, `layout: ${name} begins before the tensor in front of it ends`);
    assert(size === elementsOf(shape), `layout: ${name} has ${size} elements, its shape says otherwise`);
    assert(!names.has(name), `layout: ${name} stands twice`);
    names.add(name);
    end = offset + size;
  }
  assert(end <= layout.paddedSize, 'layout: the last tensor ends behind paddedSize');
}

/** Product of the dimensions; 1 for a scalar. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}
