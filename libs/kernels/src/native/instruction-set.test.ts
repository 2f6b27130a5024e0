import { expect, it } from 'vitest';
import { reportInstructionSets, selectInstructionSet } from './instruction-set.js';
import { describeNative } from './native-suite.js';

describeNative('instruction sets', (addon) => {
  it('every instruction set of this CPU passes the self-test', () => {
    const states = reportInstructionSets(addon).map(({ state }) => state);
    expect(states).not.toContain('self-test failed');
    expect(states).toContain('usable');
  });

  it('auto is the best one that is usable', () => {
    expect(selectInstructionSet('auto')).toBe(addon.instructionSets()[0]);
    expect(selectInstructionSet('portable')).toBe('portable');
  });

  it('an unknown name is refused with the names that are allowed', () => {
    expect(() => selectInstructionSet('sse9')).toThrow(
      `engine.instructionSet is sse9; on this machine it can be auto, ${addon.instructionSets().join(', ')}`,
    );
  });
});
