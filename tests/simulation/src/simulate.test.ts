import { describe, expect, it } from 'vitest';
import { runSchedules } from './schedules.js';
import { simulate } from './simulate.js';

describe('a simulated cluster', () => {
  it('computes what one undisturbed worker computes, whatever happens, in 1,000 schedules', () => {
    runSchedules(0, 1000);
  }, 600_000);

  it.each([[4875, 'a bit turned over and back within a step']])(
    'holds in schedule %i, which showed: %s',
    (seed) => {
      runSchedules(seed, 1);
    },
  );

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
