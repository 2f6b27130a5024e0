// The simulator finds every rule of the protocol that is taken away (docs/protocol.md, "The rules"), within its first
// 10,000 schedules. `npm run simulate -- --seeds 10000 --mutant NAME` shows the first one.
import { describe, expect, it } from 'vitest';
import type { Mutants } from './mutants.js';
import { simulate } from './simulate.js';

/** Where to look: scanning from 0 each time would cost minutes. After a change of schedules the seeds move a little. */
const FIRST: Readonly<Record<string, number>> = {
  noFence: 150,
  noRaise: 0,
  attemptPerStep: 0,
  noKeepRule: 70,
  headWithoutRedis: 0,
  nextWithoutWorkers: 0,
  noNextStep: 270,
  untaggedRanges: 440,
  verdictFromMemory: 0,
};

const SEARCH = 1500;

function found(mutants: Mutants, from: number): { seed: number; rule: string; text: string } | null {
  for (let seed = from; seed < from + SEARCH; seed++) {
    const { violation } = simulate({ seed, mutants });
    if (violation !== null) return { seed, rule: violation.rule, text: violation.text };
  }
  return null;
}

describe('a protocol without one of its rules', () => {
  it.each(Object.entries(FIRST))(
    '%s is found',
    (name, from) => {
      const where = found({ [name]: true }, from);
      expect(where, `no violation in seeds ${from} to ${from + SEARCH - 1}`).not.toBeNull();
      expect(where?.seed).toBeLessThan(10_000);
      // It is the mutant that is found, not the schedule.
      expect(simulate({ seed: where?.seed ?? 0 }).violation).toBeNull();
    },
    300_000,
  );

  // Chance has shown it at seed 740 of an earlier set of schedules; it wants a schedule of its own.
  it.todo('noTermCheck is found');

  // Streams that go on are caught by the digests, and the step repaired, as long as these are compared.
  it.each(['streamsGoOn', 'noKeepRule'] as const)(
    '%s shows up as a wrong sum when counts and digests are not checked (H1, H3)',
    (name) => {
      const where = found({ [name]: true, noCountCheck: true, noDigestCheck: true }, 0);
      expect(where?.rule).toMatch(/^I[13]$/);
      expect(where?.text).toMatch(/wrong sum|other mathematics/);
    },
    300_000,
  );
});
