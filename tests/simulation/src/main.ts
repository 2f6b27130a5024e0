// node tests/simulation/dist/main.js --seed N [--trace] | --seeds N [--from N]
import { parseArgs } from 'node:util';
import { describeFault } from './faults/fault.js';
import { shrink } from './shrink.js';
import { simulate, type SimulationResult } from './simulate.js';

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '0' },
      trace: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  });
  if (values.seed !== undefined) return one(Number(values.seed), values.trace);
  return many(Number(values.from), Number(values.seeds), values.keep);
}

function one(seed: number, trace: boolean): number {
  const result = simulate(trace ? { seed, trace: (line) => console.log(line) } : { seed });
  if (result.violation === null) {
    console.log(`seed ${seed}: ${result.ending}, ${result.events} events, ${result.virtualMs.toFixed(0)} ms`);
    return 0;
  }
  const small = shrink({ seed }, result);
  if (trace) {
    console.log('--- the same with as few faults as possible ---');
    simulate({ seed, faults: small.schedule.faults, trace: (line) => console.log(line) });
  }
  report(small);
  return 1;
}

function many(from: number, count: number, keepGoing: boolean): number {
  const failures: SimulationResult[] = [];
  const endings = new Map<string, number>();
  let events = 0;
  for (let seed = from; seed < from + count; seed++) {
    const result = simulate({ seed });
    events += result.events;
    if (result.violation === null) {
      endings.set(result.ending, (endings.get(result.ending) ?? 0) + 1);
      continue;
    }
    const small = shrink({ seed }, result);
    failures.push(small);
    report(small);
    if (!keepGoing) return 1;
  }
  console.log(`${count} seeds, ${events} events, ${failures.length} failed; ${JSON.stringify([...endings])}`);
  return failures.length === 0 ? 0 : 1;
}

function report({ seed, schedule, violation }: SimulationResult): void {
  console.log(`seed ${seed}: ${violation?.rule} at ${violation?.atMs.toFixed(1)} ms: ${violation?.text}`);
  console.log(`  cluster: ${JSON.stringify(schedule.shape)}`);
  for (const fault of schedule.faults) console.log(`  ${describeFault(fault)}`);
  console.log(`  again: node tests/simulation/dist/main.js --seed ${seed} --trace`);
}

process.exitCode = main();
