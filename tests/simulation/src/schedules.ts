// Runs many schedules; fails with what somebody needs who has to find out why.
import { describeFault } from './faults/fault.js';
import { shrink } from './shrink.js';
import { simulate, type SimulationResult } from './simulate.js';

/** Throws at the first violation, with as few faults as possible and the command that shows it. */
export function runSchedules(from: number, count: number): void {
  for (let seed = from; seed < from + count; seed++) {
    const result = simulate({ seed });
    if (result.violation !== null) throw new Error(explain(shrink({ seed }, result)));
  }
}

function explain({ seed, schedule, violation }: SimulationResult): string {
  const faults = schedule.faults.map(describeFault).join('\n  ');
  return (
    `seed ${seed}: ${violation?.rule}: ${violation?.text}\n  ${faults}\n` +
    `again: npm run simulate -- --seed ${seed} --trace`
  );
}
