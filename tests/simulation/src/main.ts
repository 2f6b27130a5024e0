// node tests/simulation/dist/main.js --seed N [--trace] | --seeds N [--from N] [--jobs N] [--schedule NAME]
// [--mutant NAME]... [--keep]
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { describeFault } from './faults/fault.js';
import { TARGETED, targetedOf } from './faults/targeted.js';
import { MUTANTS, mutantsOf } from './mutants.js';
import { shrink } from './shrink.js';
import { simulate, type SimulateOptions, type SimulationResult } from './simulate.js';

const HELP = `Simulated schedules of a whole cluster.

  --seed N         one seed; --trace shows every event, first as it is, then with as few faults as fail
  --seeds N        so many seeds (1000), beginning with --from N (0), on --jobs N cores (all)
  --keep           goes on after a failure
  --schedule NAME  timings of one kind of trouble instead of chance's: ${Object.keys(TARGETED).join(', ')}
  --mutant NAME    builds a fault into the cluster: ${MUTANTS.join(', ')}`;

interface Arguments {
  readonly seed: number | null;
  readonly seeds: number;
  readonly from: number;
  readonly jobs: number;
  readonly trace: boolean;
  readonly keep: boolean;
  readonly mutants: readonly string[];
  readonly schedule: string | null;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '0' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      trace: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      mutant: { type: 'string', multiple: true, default: [] },
      schedule: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const options: Arguments = {
    seed: values.seed === undefined ? null : Number(values.seed),
    ...{ seeds: Number(values.seeds), from: Number(values.from), jobs: Number(values.jobs) },
    ...{ trace: values.trace, keep: values.keep, mutants: values.mutant, schedule: values.schedule ?? null },
  };
  if (options.seed !== null) return one(options.seed, options);
  return options.jobs > 1 ? onAllCores(options) : many(options);
}

function optionsOf(seed: number, { schedule, mutants }: Arguments): SimulateOptions {
  const targeted = schedule === null ? {} : targetedOf(schedule, seed);
  return { ...targeted, seed, mutants: mutantsOf(mutants) };
}

/** As they were given, for a further call. */
function flagsOf({ schedule, mutants }: Arguments): string[] {
  return [
    ...(schedule === null ? [] : ['--schedule', schedule]),
    ...mutants.flatMap((name) => ['--mutant', name]),
  ];
}

function one(seed: number, given: Arguments): number {
  const { trace } = given;
  const options = optionsOf(seed, given);
  const print = (line: string): void => console.log(line);
  const result = simulate(trace ? { ...options, trace: print } : options);
  if (result.violation === null) {
    console.log(`seed ${seed}: ${result.ending}, ${result.events} events, ${result.virtualMs.toFixed(0)} ms`);
    return 0;
  }
  const small = shrink(options, result);
  if (trace) {
    console.log('--- the same with as few faults as possible ---');
    simulate({ ...options, faults: small.schedule.faults, trace: print });
  }
  report(small, given);
  return 1;
}

function many(given: Arguments): number {
  const { from, seeds, keep } = given;
  const endings = new Map<string, number>();
  let [events, failures, stallMs] = [0, 0, 0];
  for (let seed = from; seed < from + seeds; seed++) {
    const options = optionsOf(seed, given);
    const result = simulate(options);
    events += result.events;
    stallMs = Math.max(stallMs, result.stallMs);
    if (result.violation === null) {
      endings.set(result.ending, (endings.get(result.ending) ?? 0) + 1);
      continue;
    }
    failures += 1;
    report(shrink(options, result), given);
    if (!keep) return 1;
  }
  const how = [...endings].map(([ending, count]) => `${count} ${ending}`).join('; ');
  console.log(
    `seeds ${from} to ${from + seeds - 1}: ${failures} failed; ${how}; ` +
      `${events} events; longest stall ${stallMs.toFixed(0)} ms`,
  );
  return failures === 0 ? 0 : 1;
}

/** One child process for each share of the seeds. */
async function onAllCores(given: Arguments): Promise<number> {
  const { seeds, from, jobs, keep } = given;
  const share = Math.ceil(seeds / jobs);
  const codes = Array.from({ length: Math.ceil(seeds / share) }, (_, i) => {
    const first = from + i * share;
    const count = Math.min(share, from + seeds - first);
    const flags = ['--from', String(first), '--seeds', String(count), '--jobs', '1'];
    const extra = [...(keep ? ['--keep'] : []), ...flagsOf(given)];
    const child = fork(process.argv[1] ?? '', [...flags, ...extra]);
    return new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  });
  return Math.max(...(await Promise.all(codes)));
}

function report({ seed, schedule, violation }: SimulationResult, given: Arguments): void {
  console.log(`seed ${seed}: ${violation?.rule} at ${violation?.atMs.toFixed(1)} ms: ${violation?.text}`);
  console.log(`  cluster: ${JSON.stringify(schedule.shape)}`);
  for (const fault of schedule.faults) console.log(`  ${describeFault(fault)}`);
  const again = ['--seed', String(seed), '--trace', ...flagsOf(given)].join(' ');
  console.log(`  again: node tests/simulation/dist/main.js ${again}`);
}

process.exitCode = await main();
