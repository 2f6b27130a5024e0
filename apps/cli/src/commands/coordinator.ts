import { runCoordinator } from '@cria/coordinator';
import type { RunConfig } from '@cria/protocol';
import { CriaError, EXIT, signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, optionWithEnv, wholeNumber } from '../command.js';
import { askWorker } from '../engine/probe.js';
import { engineRequest } from '../up/resolve-run.js';
import { addConfigOptions, configPath, loadConfig, type ConfigFlags } from '../run/load-config.js';

interface CoordinatorFlags extends ConfigFlags {
  readonly redis?: string;
  readonly out?: string;
  readonly resume: boolean;
  readonly restarted?: boolean;
  readonly steps?: number;
  readonly listen: string;
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly advertise?: string;
  readonly device: string;
  readonly engineFingerprint?: string;
  readonly stay: boolean;
}

export function coordinatorCommand(): Command {
  const command = describeCommand(
    'coordinator',
    'One member of the coordinator cluster: grants slots, decides commits, serves the dashboard.',
    'cria coordinator --config run.yaml --redis redis://127.0.0.1:6379 --out runs/first',
  );
  addConfigOptions(command)
    .addOption(optionWithEnv('--redis <url>', 'redis://HOST:PORT', 'REDIS_URL'))
    .addOption(optionWithEnv('--out <dir>', "the run's directory (default: runs/<run>)", 'CRIA_OUT'))
    .option('--resume', 'continue the run whose id stands in --out', false)
    .addOption(new Option('--steps <n>', 'stop after so many steps').argParser(wholeNumber(1)))
    .option('--listen <host>', 'address to listen on', '127.0.0.1')
    .addOption(
      new Option('--grpc-port <port>', 'port for workers; 0 = any').argParser(wholeNumber(0)).default(0),
    )
    .addOption(
      new Option('--http-port <port>', 'port of the dashboard; 0 = any').argParser(wholeNumber(0)).default(0),
    )
    .option('--advertise <host:port>', 'where workers reach --grpc-port, if not there (a proxy)')
    .option('--device <device>', 'device of the workers, where their engine is asked for here', 'cpu')
    .option(
      '--engine-fingerprint <line>',
      'of the workers, from `cria worker --probe` (default: asked on this machine)',
    )
    .addOption(new Option('--restarted', 'a supervisor starts it again in the middle of the run').hideHelp())
    .option('--stay', 'go on serving the dashboard after the end', false);
  return act<CoordinatorFlags>(command, async (terminal, flags) => {
    const signal = signalsToAbort();
    const config = explicitConfig(flags);
    const fingerprint = flags.engineFingerprint ?? (await askedFingerprint(config, flags.device));
    const outcome = await runCoordinator(
      {
        config,
        engineFingerprint: fingerprint,
        redisUrl: redisUrlOf(flags.redis),
        outDir: flags.out ?? `runs/${config.run}`,
        resume: flags.resume,
        restarted: flags.restarted ?? false,
        stopAfterSteps: flags.steps ?? null,
        listenHost: flags.listen,
        grpcPort: flags.grpcPort,
        httpPort: flags.httpPort,
        advertise: flags.advertise ?? null,
        stay: flags.stay,
      },
      signal,
    );
    if (outcome !== null) terminal.result(outcome, `${outcome.run}: ${outcome.steps} steps`);
    return signal.aborted && outcome === null ? Number(signal.reason) : EXIT.done;
  });
}

/** @throws CriaError USAGE without a URL */
export function redisUrlOf(flag: string | undefined): string {
  if (flag !== undefined) return flag;
  throw new CriaError('USAGE', 'name the Redis of the run with --redis redis://HOST:PORT or REDIS_URL');
}

function explicitConfig(flags: CoordinatorFlags): RunConfig {
  if (flags.config === undefined) throw new CriaError('USAGE', 'coordinator needs --config FILE');
  const config = loadConfig({ flags, file: configPath(flags.config) });
  if (config.engine.kind === 'auto' || config.engine.precision === 'auto') {
    const sentence =
      'engine.kind and engine.precision must be named: a coordinator has no engine to resolve "auto" with ' +
      '(`cria worker --probe` says what this machine has; `cria up` resolves it itself)';
    throw new CriaError('CONFIG_INVALID', sentence);
  }
  return config;
}

async function askedFingerprint(config: RunConfig, device: string): Promise<string> {
  return (await askWorker({ ...engineRequest(config), device })).fingerprint;
}
