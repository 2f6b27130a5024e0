// The simulator finds every rule of the protocol that is taken away (docs/protocol.md, "The rules"), within its first
// 10,000 schedules, or in schedules made for it. `npm run simulate -- --seeds 10000 --mutant NAME [--schedule NAME]`
// shows the first one.
import { describe, expect, it } from 'vitest';
import { targetedOf } from './faults/targeted.js';
import type { Mutants } from './mutants.js';
import { simulate, type SimulateOptions } from './simulate.js';

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

/** Those that chance finds too seldom, and the schedules that show them. */
const TARGETS = [
  ['noTermCheck', 'twoLeaders', 'I5'],
  ['streamsGoOn', 'grantWhileStreaming', 'I6'],
  ['headWithoutWorkers', 'workersAlone', 'I7'],
] as const;

const SEARCH = 1500;
const TIMINGS = 60;

interface Found {
  readonly seed: number;
  readonly rule: string;
  readonly text: string;
}

function found(mutants: Mutants, from: number): Found | null {
  return search({ from, count: SEARCH }, (seed) => ({ seed, mutants }));
}

function search(
  { from, count }: { from: number; count: number },
  optionsOf: (seed: number) => SimulateOptions,
): Found | null {
  for (let seed = from; seed < from + count; seed++) {
    const { violation } = simulate(optionsOf(seed));
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

  it.each(TARGETS)(
    '%s is found by the schedules %s',
    (name, schedule, rule) => {
      const timings = { from: 0, count: TIMINGS };
      const where = search(timings, (seed) => ({
        ...targetedOf(schedule, seed),
        ...{ seed, mutants: { [name]: true } },
      }));
      expect(where?.rule).toBe(rule);
      expect(search(timings, (seed) => ({ ...targetedOf(schedule, seed), seed }))).toBeNull();
    },
    300_000,
  );

  // As long as counts and digests are compared they catch it, and the step is repaired.
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
