import type { Kernels } from './kernels.js';
import { loadAddon } from './native/addon.js';
import { createNativeKernels } from './native/native-kernels.js';
import { referenceKernels } from './reference/reference-kernels.js';

export interface LoadKernelsOptions {
  /** Of the native kernels, the calling one included. @default 1 */
  readonly threads?: number;
}

/** The fastest kernels that this machine has: native where the addon is built and passes its self-test, else the reference. Same bits. */
export function loadKernels({ threads = 1 }: LoadKernelsOptions = {}): Kernels {
  const loaded = loadAddon();
  const isUsable = loaded.kind === 'loaded' && loaded.addon.instructionSets().length > 0;
  return isUsable ? createNativeKernels({ threads }) : referenceKernels;
}
