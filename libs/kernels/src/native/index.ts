export { INSTRUCTION_SETS, loadAddon, requireAddon } from './addon.js';
export type { InstructionSet, LoadedAddon, NativeAddon } from './addon.js';
export { reportInstructionSets, selectInstructionSet } from './instruction-set.js';
export type { InstructionSetReport } from './instruction-set.js';
export { BF16, bytesOf, F32 } from './native-context.js';
export type { Dtype, Memory, NativeContext } from './native-context.js';
export { createNativeKernels } from './native-kernels.js';
export type { NativeKernelsOptions } from './native-kernels.js';
