// The global norm. Squares of f32 are exact in f64, so an FMA gives the same bits here; the order of the additions is
// what has to be fixed.
import { SQUARE_CHUNK_SIZE } from '../grid.js';

const LANES = 16;
const lanes = new Float64Array(LANES);

/** `Kernels.squareSum`. */
export function squareSum(values: Float32Array, chunks: Float64Array): void {
  for (let from = 0, chunk = 0; from < values.length; from += SQUARE_CHUNK_SIZE, chunk++) {
    chunks[chunk] = chunkSum(values, from, Math.min(from + SQUARE_CHUNK_SIZE, values.length));
  }
}

function chunkSum(values: Float32Array, from: number, to: number): number {
  lanes.fill(0);
  for (let i = from; i < to; i += LANES) {
    const count = Math.min(LANES, to - i);
    for (let lane = 0; lane < count; lane++) {
      const x = values[i + lane];
      lanes[lane] += x * x;
    }
  }
  for (let half = LANES / 2; half >= 1; half /= 2) {
    for (let lane = 0; lane < half; lane++) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/** Adds chunk sums of the whole flat array in ascending order: the square of the global norm. */
export function addChunks(chunks: Float64Array): number {
  let total = 0;
  for (let i = 0; i < chunks.length; i++) total += chunks[i];
  return total;
}
