export {
  BLOCK_SIZE,
  GRADIENT_LIMIT,
  MAX_GRID_BITS,
  PART_SIZE,
  SQUARE_CHUNK_SIZE,
  checkGrid,
  meanScale,
  partCount,
  partRange,
} from './grid.js';
export {
  accumulatorValue,
  clearAccumulator,
  copyAccumulator,
  createAccumulator,
  widenBlock,
} from './accumulator.js';
export type { Accumulator } from './accumulator.js';
export type { AdamwScalars, Kernels, OptimizerState } from './kernels.js';
export { combineStateDigest } from './reference/digest.js';
export { addChunks } from './reference/square-sum.js';
export { referenceKernels } from './reference/reference-kernels.js';
export { loadKernels } from './load.js';
export { loadAddon } from './native/addon.js';
export type { InstructionSet, LoadedAddon, NativeAddon } from './native/addon.js';
