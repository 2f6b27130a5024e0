import type { RunOutcome } from '@cria/coordinator';
import type { Override, RunConfig } from '@cria/protocol';
import { signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, optionWithEnv, wholeNumber } from '../command.js';
import { addConfigOptions, configPath, loadConfig, type ConfigFlags } from '../run/load-config.js';
import { outDirOfResume } from '../run/out-dir.js';
import { CONFIG_FILE } from '../up/resolve-run.js';
import { up, type UpEnd } from '../up/up.js';

export interface UpFlags extends ConfigFlags {
  readonly out?: string;
  readonly steps?: number;
  readonly workers?: number;
  readonly coordinators: number;
  readonly engine?: string;
  readonly device: string;
  readonly threads?: number;
  readonly httpPort: number;
  readonly stay: boolean;
  readonly resume: boolean;
}

const DEFAULT_CONFIG = 'quickstart';

export function upCommand(): Command {
  const command = describeCommand(
    'up',
    'Trains on this machine: Redis (unless REDIS_URL is set), coordinators, workers, dashboard. Ends when the budget is done.',
    'cria up --config configs/quickstart-tfjs.yaml --workers 3 --steps 12 --json',
  );
  addConfigOptions(command)
    .addOption(
      optionWithEnv('--out <dir>', "the run's directory (default: runs/<run>, then -2, -3, ...)", 'CRIA_OUT'),
    )
    .addOption(
      optionWithEnv(
        '--steps <n>',
        'stop after so many steps; the schedule stays that of the budget',
        'CRIA_STEPS',
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      optionWithEnv('--workers <n>', 'worker processes (workers.target)', 'CRIA_WORKERS').argParser(
        wholeNumber(1),
      ),
    )
    .addOption(new Option('--coordinators <n>', 'coordinator processes').argParser(wholeNumber(1)).default(1))
    .addOption(
      optionWithEnv('--engine <kind>', 'which engine computes (engine.kind)', 'CRIA_ENGINE').choices([
        'auto',
        'native',
        'tfjs',
      ]),
    )
    .addOption(optionWithEnv('--device <device>', 'cpu or cuda:N', 'CRIA_DEVICE').default('cpu'))
    .addOption(
      optionWithEnv(
        '--threads <n>',
        'compute threads of each worker (default: the cores shared out)',
        'CRIA_THREADS',
      ).argParser(wholeNumber(1)),
    )
    .addOption(
      optionWithEnv('--http-port <port>', 'port of the dashboard (default: any free one)', 'CRIA_HTTP_PORT')
        .argParser(wholeNumber(0))
        .default(0),
    )
    .option('--stay', 'keep the dashboard up after the end', false)
    .option('--resume', 'continue the run in --out (default: the newest of its name)', false);
  return act<UpFlags>(command, async (terminal, flags) => {
    const signal = signalsToAbort();
    const stream = terminal.json ? process.stderr : process.stdout;
    const end = await ending(signal, () =>
      up({ ...readFlags(flags), config: configOf(flags), stream }, signal),
    );
    if (end === null) return Number(signal.reason);
    terminal.result(resultOf(end.outcome), describeEnd(end));
    return undefined;
  });
}

/** The action's result, null when the signal ended it (whatever it threw on its way out). */
export async function ending<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

function readFlags(flags: UpFlags): Omit<Parameters<typeof up>[0], 'config' | 'stream'> {
  const { out, steps, coordinators, device, threads, httpPort, stay, resume } = flags;
  return {
    out: out ?? null,
    stopAfterSteps: steps ?? null,
    threads: threads ?? null,
    redisUrl: process.env['REDIS_URL'] ?? null,
    ...{ coordinators, device, httpPort, stay, resume },
  };
}

/** `--resume` without `--config` means the configuration that the run was started with. */
function configOf(flags: UpFlags): RunConfig {
  const overrides: Override[] = [
    ...(flags.engine === undefined ? [] : [{ path: 'engine.kind', value: flags.engine, origin: '--engine' }]),
    ...(flags.workers === undefined
      ? []
      : [{ path: 'workers.target', value: flags.workers, origin: '--workers' }]),
  ];
  const load = (file: string): RunConfig => loadConfig({ flags, file, overrides });
  if (flags.config !== undefined) return load(configPath(flags.config));
  if (!flags.resume) return load(configPath(DEFAULT_CONFIG));
  return load(`${outDirOfResume(flags.out ?? null, DEFAULT_CONFIG)}/${CONFIG_FILE}`);
}

/** What `--json` prints: CONTRACT's fields. */
function resultOf({ runId: _, ...outcome }: RunOutcome): object {
  return outcome;
}

function describeEnd({ outcome, outDir }: UpEnd): string {
  const { steps, tokens, loss, valLoss, mathHash, checkpoint, stateSha256, wallMs } = outcome;
  const number = (value: number | null): string => (value === null ? 'not finite' : value.toFixed(4));
  return [
    `trained ${steps} steps, ${tokens.toLocaleString('en-US')} tokens in ${(wallMs / 1000).toFixed(1)} s`,
    `loss ${number(loss)}${valLoss === null ? '' : `, validation ${number(valLoss)}`}`,
    `mathHash ${mathHash}`,
    `checkpoint ${checkpoint}`,
    `stateSha256 ${stateSha256}`,
    `audit it: cria audit ${outDir}`,
  ].join('\n');
}
