import type { Fault } from './faults/fault.js';
import { simulate, type SimulateOptions, type SimulationResult } from './simulate.js';

/** Leaves out one fault after the other as long as the same rule is still broken. */
export function shrink(options: SimulateOptions, failed: SimulationResult): SimulationResult {
  let best = failed;
  for (let at = 0; at < best.schedule.faults.length;) {
    const faults: Fault[] = best.schedule.faults.filter((_, i) => i !== at);
    const result = simulate({ ...options, faults });
    if (result.violation?.rule === best.violation?.rule) best = result;
    else at += 1;
  }
  return best;
}
