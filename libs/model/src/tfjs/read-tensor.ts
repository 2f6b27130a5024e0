// From the device into memory that is used again. The binding makes a new array for every tensor it hands out; in small
// pieces that array comes from memory in use a moment ago, as a whole it is hundreds of megabytes of untouched pages.
import { reshape, slice, tidy } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';

/** 2 MB, so that a piece is still in the processor's cache when it is copied on. */
const PIECE = 2 ** 19;

/**
 * @param target at least as long as the tensor; what is beyond stays
 * @param perPiece applied on the device to one piece after the other; element by element
 */
export function readTensor(
  target: Float32Array,
  source: Tensor,
  perPiece: (piece: Tensor1D) => Tensor = (piece) => piece,
): void {
  for (let from = 0; from < source.size; from += PIECE) {
    const length = Math.min(PIECE, source.size - from);
    tidy(() => {
      const piece = slice(reshape(source, [-1]), from, length);
      target.set(perPiece(piece as Tensor1D).dataSync<'float32'>(), from);
    });
  }
}
