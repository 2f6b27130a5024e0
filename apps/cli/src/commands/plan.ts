import { formatBytes, formatCount } from '@cria/metrics';
import { CriaError } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, numberBetween, wholeNumber } from '../command.js';
import { planRun, type Plan } from '../plan/plan.js';
import { addConfigOptions, configPath, loadConfig, type ConfigFlags } from '../run/load-config.js';

interface PlanFlags extends ConfigFlags {
  readonly workers: number;
  readonly tokensPerSecond: number;
  readonly pricePerHour?: number;
  readonly hoursBetweenFailures: number;
  readonly bitsPerParameter: number;
}

export function planCommand(): Command {
  const command = describeCommand(
    'plan',
    'Days, cost, memory, bytes per step and failures to expect, before a run starts.',
    'cria plan --config litellama-460m --workers 8 --tokens-per-second 20000 --price-per-hour 2',
  );
  const positive = numberBetween(Number.MIN_VALUE, Number.MAX_VALUE);
  addConfigOptions(command)
    .addOption(new Option('--workers <n>', 'workers').argParser(wholeNumber(1)).makeOptionMandatory())
    .addOption(
      new Option('--tokens-per-second <x>', 'measured speed of one worker')
        .argParser(positive)
        .makeOptionMandatory(),
    )
    .addOption(new Option('--price-per-hour <p>', 'price of one worker').argParser(numberBetween(0, 1e9)))
    .addOption(
      new Option('--hours-between-failures <h>', 'mean time between failures of one worker')
        .argParser(positive)
        .default(1000),
    )
    .addOption(
      new Option('--bits-per-parameter <b>', 'of the gradient on the wire').argParser(positive).default(10),
    );
  return act<PlanFlags>(command, async (terminal, flags) => {
    if (flags.config === undefined) throw new CriaError('USAGE', 'plan needs --config FILE');
    const plan = planRun({
      config: loadConfig({ flags, file: configPath(flags.config) }),
      workers: flags.workers,
      tokensPerSecondPerWorker: flags.tokensPerSecond,
      pricePerHour: flags.pricePerHour ?? null,
      hoursBetweenFailures: flags.hoursBetweenFailures,
      bitsPerParameter: flags.bitsPerParameter,
    });
    terminal.result(plan, describePlan(plan));
  });
}

function describePlan(plan: Plan): string {
  const gibibytes = (sizeBytes: number): string => `${(sizeBytes / 2 ** 30).toFixed(2)} GiB`;
  const rows: ReadonlyArray<readonly [string, string]> = [
    ['parameters', plan.parameters.toLocaleString('en-US')],
    ['tokens', `${plan.tokens.toLocaleString('en-US')} in ${plan.steps.toLocaleString('en-US')} steps`],
    ['workers with work', String(plan.usefulWorkers)],
    ['a step', `${plan.computeSecondsPerStep.toFixed(3)} s of computing`],
    ['days', plan.days.toFixed(2)],
    ['cost', plan.cost === null ? 'name --price-per-hour' : formatCount(plan.cost)],
    ['teraflops', plan.teraflops.toFixed(1)],
    ["a worker's state", gibibytes(plan.workerMemoryBytes)],
    ['a checkpoint', gibibytes(plan.checkpointBytes)],
    ['exchange', `${gibibytes(plan.exchangeBytesPerStep)} a step and worker`],
    ['tokens sent', `${formatBytes(plan.tokenBytesPerStep)} a step`],
    ['failures', plan.expectedFailures.toFixed(1)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(18)}${value}`).join('\n');
}
