// How tests of the addon run: on every instruction set of this machine, or not at all with one clear line.
import { describe } from 'vitest';
import { loadAddon } from './addon.js';
import type { InstructionSet, NativeAddon } from './addon.js';

/** The suite with the addon; without one a single skipped test says why. */
export function describeNative(name: string, suite: (addon: NativeAddon) => void): void {
  const loaded = loadAddon();
  if (loaded.kind === 'missing') {
    describe(name, () => {
      describe.skip(loaded.reason, () => undefined);
    });
    return;
  }
  describe(name, () => suite(loaded.addon));
}

/** The suite once per instruction set that can be used here. */
export function describeInstructionSets(
  name: string,
  suite: (instructionSet: InstructionSet, addon: NativeAddon) => void,
): void {
  describeNative(name, (addon) => {
    for (const instructionSet of addon.instructionSets()) {
      describe(instructionSet, () => suite(instructionSet, addon));
    }
  });
}
