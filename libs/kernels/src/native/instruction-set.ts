// Which path through the kernels is taken, decided once. The answer changes speed and nothing else: a path whose
// self-test hashes to anything but the known value is not offered.
import { CriaError } from '@cria/runtime';
import { INSTRUCTION_SETS, requireAddon } from './addon.js';
import type { InstructionSet, NativeAddon } from './addon.js';

/** What a `cria doctor` line says about one instruction set. */
export interface InstructionSetReport {
  readonly name: InstructionSet;
  readonly state: 'usable' | 'not on this CPU' | 'self-test failed';
}

/**
 * Resolves `engine.instructionSet`.
 *
 * @throws CONFIG_INVALID for a name that does not exist or cannot be used here, with what can; ENGINE_UNAVAILABLE
 *   when the addon is missing or no path gives the known bits
 */
export function selectInstructionSet(wanted: string = 'auto'): InstructionSet {
  const usable = requireAddon().instructionSets();
  if (wanted === 'auto') {
    if (usable.length > 0) return usable[0];
    throw new CriaError(
      'ENGINE_UNAVAILABLE',
      'no instruction set passes the self-test on this CPU; use --engine tfjs',
    );
  }
  const found = usable.find((name) => name === wanted);
  if (found !== undefined) return found;
  throw new CriaError(
    'CONFIG_INVALID',
    `engine.instructionSet is ${wanted}; on this machine it can be auto, ${usable.join(', ')}`,
  );
}

/** Every instruction set and why it can or cannot be used. */
export function reportInstructionSets(addon: NativeAddon = requireAddon()): InstructionSetReport[] {
  const expected = addon.expectedSelfTest();
  return INSTRUCTION_SETS.map((name) => {
    const hash = addon.selfTest(name);
    const state = hash === expected ? 'usable' : hash === 0n ? 'not on this CPU' : 'self-test failed';
    return { name, state } as const;
  });
}
