import { describe, expect, it } from 'vitest';
import { runSchedules } from './schedules.js';
import { simulate } from './simulate.js';

/** By seed of the present schedules; each has its unit test as well, where the fault was in a decision. */
const FOUND: ReadonlyArray<readonly [seed: number, what: string]> = [
  [4875, 'a bit that turned over and back within a step'],
  [7585, 'a spare that was computed from a state which was gone'],
  [7688, 'a worker that was to load a checkpoint while it applied a step'],
  [11384, 'workers that were counted on for states which they had given up for a copy'],
  [
    14389,
    'a state copied from a worker that was damaged after it had applied, and dismissed before it could be compared',
  ],
  [21175, 'a damaged donor that waited at rest, whose copies were sent away one after the other'],
  [1534, 'ledger entries of a waiting worker that the run could use only later'],
  [29690, 'a worker ahead of a lost ledger, without which there were fewer than workers.min'],
  [36227, 'a copy that began late, behind a slot, and had missed the Commit before'],
  [60095, 'a last checkpoint that was ordered thrice before the damaged member could say so'],
];

describe('a simulated cluster', () => {
  it('computes what one undisturbed worker computes, whatever happens, in 1,000 schedules', () => {
    runSchedules(0, 1000);
  }, 600_000);

  it.each(FOUND)('holds in schedule %i, which once showed %s', (seed) => {
    runSchedules(seed, 1);
  });

  it('finishes without faults within the time that its steps take', () => {
    const { violation, ending, virtualMs } = simulate({ seed: 0, faults: [] });
    expect(violation).toBeNull();
    expect(ending).toBe('finished');
    expect(virtualMs).toBeLessThan(5000);
  });

  it('does the same again for the same seed', () => {
    const lines = (seed: number): string[] => {
      const all: string[] = [];
      simulate({ seed, trace: (line) => all.push(line) });
      return all;
    };
    expect(lines(12)).toEqual(lines(12));
    expect(lines(12)).not.toEqual(lines(13));
  });
});
