// Tensors in the addon's memory: dense, row-major, nothing but an address, a shape and a dtype.
import { bytesOf } from '@cria/kernels/native';
import type { Dtype } from '@cria/kernels/native';

export interface Tensor {
  /** As the addon counts: a segment's address plus a byte offset. */
  readonly address: number;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
}

/** Begins of tensors: a cache line. */
const ALIGNMENT_BYTES = 64;

export function elementCount(tensor: Tensor): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}

/** Rows [from, to) of a tensor's first dimension. */
export function rowsOf(tensor: Tensor, from: number, to: number): Tensor {
  const [rows, ...rest] = tensor.shape;
  const rowBytes = (elementCount(tensor) / rows) * bytesOf(tensor.dtype);
  return { ...tensor, address: tensor.address + from * rowBytes, shape: [to - from, ...rest] };
}

/** Lays tensors one behind the other from an address on. From 0 it only counts how much memory they take. */
export class TensorPlanner {
  readonly #base: number;
  #sizeBytes = 0;

  constructor(base: number) {
    this.#base = base;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  tensor(dtype: Dtype, ...shape: number[]): Tensor {
    const tensor = { address: this.#base + this.#sizeBytes, shape, dtype };
    const sizeBytes = elementCount(tensor) * bytesOf(dtype);
    this.#sizeBytes += Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return tensor;
  }
}
