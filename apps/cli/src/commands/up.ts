import type { RunOutcome } from '@cria/coordinator';
import type { Override, RunConfig } from '@cria/protocol';
import { signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, optionWithEnv, wholeNumber } from '../command.js';
import { ending } from '../ending.js';
import type { ProbeRequest } from '../engine/probe.js';
import { addConfigOptions, configPath, loadConfig, type ConfigFlags } from '../run/load-config.js';
import { outDirOfResume } from '../run/out-dir.js';
import { CONFIG_FILE } from '../run/run-config-file.js';
import type { Terminal } from '../terminal.js';
import { prepareQuickstart, QUICKSTART, quickstartFile } from '../up/default-config.js';
import { up, type UpEnd, type UpRequest } from '../up/up.js';

interface UpFlags extends ConfigFlags {
  readonly out?: string;
  readonly steps?: number;
  readonly workers?: number;
  readonly coordinators: number;
  readonly engine?: ProbeRequest['engine'];
  readonly device: string;
  readonly threads?: number;
  readonly httpPort: number;
  readonly stay: boolean;
  readonly resume: boolean;
}

export function upCommand(): Command {
  const command = describeCommand(
    'up',
    'Trains on this machine: Redis (unless REDIS_URL is set), coordinators, workers, dashboard. Ends when the budget is done.',
    'cria up --config configs/quickstart-tfjs.yaml --workers 3 --steps 12 --json',
  );
  addConfigOptions(command);
  addUpOptions(command);
  return act<UpFlags>(command, async (terminal, flags) => {
    const signal = signalsToAbort();
    const onEnd = async (end: UpEnd): Promise<void> =>
      terminal.result(resultOf(end.outcome), describeEnd(end));
    const end = await ending(signal, async () =>
      up(
        {
          ...readFlags(flags),
          config: await configOf(terminal, flags, signal),
          stream: terminal.stream,
          onEnd,
        },
        signal,
      ),
    );
    return end === null ? Number(signal.reason) : undefined;
  });
}

function addUpOptions(command: Command): void {
  const count = wholeNumber(1);
  command
    .addOption(
      optionWithEnv('--out <dir>', "the run's directory (default: runs/<run>, then -2, -3, ...)", 'CRIA_OUT'),
    )
    .addOption(
      optionWithEnv(
        '--steps <n>',
        'stop after so many steps; the schedule stays that of the budget',
        'CRIA_STEPS',
      ).argParser(count),
    )
    .addOption(
      optionWithEnv('--workers <n>', 'worker processes (workers.target)', 'CRIA_WORKERS').argParser(count),
    )
    .addOption(new Option('--coordinators <n>', 'coordinator processes').argParser(count).default(1))
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
      ).argParser(count),
    )
    .addOption(
      optionWithEnv('--http-port <port>', 'port of the dashboard; 0 = any free one', 'CRIA_HTTP_PORT')
        .argParser(wholeNumber(0))
        .default(0),
    )
    .option('--stay', 'keep the dashboard up after the end')
    .option('--resume', 'continue the run in --out (default: the newest of its name)');
}

function readFlags(flags: UpFlags): Omit<UpRequest, 'config' | 'stream'> {
  const { out, steps, coordinators, device, threads, httpPort, stay, resume } = flags;
  return {
    out: out ?? null,
    resume: resume === true,
    stay: stay === true,
    stopAfterSteps: steps ?? null,
    threads: threads ?? null,
    redisUrl: process.env['REDIS_URL'] ?? null,
    ...{ coordinators, device, httpPort },
  };
}

/** `--resume` without `--config` means the configuration that the run was started with. */
async function configOf(terminal: Terminal, flags: UpFlags, signal: AbortSignal): Promise<RunConfig> {
  const overrides: Override[] = [
    ...(flags.engine === undefined ? [] : [{ path: 'engine.kind', value: flags.engine, origin: '--engine' }]),
    ...(flags.workers === undefined
      ? []
      : [{ path: 'workers.target', value: flags.workers, origin: '--workers' }]),
  ];
  const load = (file: string): RunConfig => loadConfig({ flags, file, overrides });
  if (flags.config !== undefined) return load(configPath(flags.config));
  if (flags.resume) return load(`${outDirOfResume(flags.out ?? null, QUICKSTART)}/${CONFIG_FILE}`);
  const { engine = 'auto', device } = flags;
  const config = load(await quickstartFile({ engine, device }, signal));
  await prepareQuickstart(terminal, config, signal);
  return config;
}

/** What `--json` prints: CONTRACT's fields. */
export function resultOf(outcome: RunOutcome): object {
  const { run, steps, tokens, loss, valLoss, mathHash, opsHash, checkpoint } = outcome;
  const { modelSha256, stateSha256, tokensPerSecond, wallMs } = outcome;
  return {
    ...{ run, steps, tokens, loss, valLoss, mathHash, opsHash, checkpoint },
    ...{ modelSha256, stateSha256, tokensPerSecond, wallMs },
  };
}

export function describeEnd({ outcome, outDir }: UpEnd): string {
  const { steps, tokens, loss, valLoss, mathHash, checkpoint, stateSha256, wallMs } = outcome;
  const nats = (value: number | null): string => (value === null ? 'not finite' : value.toFixed(4));
  return [
    `trained ${steps} steps, ${tokens.toLocaleString('en-US')} tokens in ${(wallMs / 1000).toFixed(1)} s`,
    `loss ${nats(loss)}${valLoss === null ? '' : `, validation ${nats(valLoss)}`}`,
    `mathHash    ${mathHash}`,
    `stateSha256 ${stateSha256}`,
    `checkpoint  ${checkpoint}`,
    `audit it:   cria audit ${outDir}`,
  ].join('\n');
}
