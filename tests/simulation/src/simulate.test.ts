import { describe, expect, it } from 'vitest';
import { describeFault } from './faults/fault.js';
import { shrink } from './shrink.js';
import { simulate, type SimulationResult } from './simulate.js';

/** What somebody needs who has to find out why. */
function explain({ seed, schedule, violation }: SimulationResult): string {
  const faults = schedule.faults.map(describeFault).join('\n  ');
  return (
    `seed ${seed}: ${violation?.rule}: ${violation?.text}\n  ${faults}\n` +
    `again: node tests/simulation/dist/main.js --seed ${seed} --trace`
  );
}

describe('a simulated cluster', () => {
  it('computes what one undisturbed worker computes, whatever happens, in 600 schedules', () => {
    for (let seed = 0; seed < 600; seed++) {
      const result = simulate({ seed });
      if (result.violation !== null) throw new Error(explain(shrink({ seed }, result)));
    }
  }, 120_000);

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
