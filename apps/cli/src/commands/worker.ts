import { availableParallelism } from 'node:os';
import { signalsToAbort, EXIT } from '@cria/runtime';
import { runWorker, type WorkerOptions } from '@cria/worker';
import { Option, type Command } from 'commander';
import { act, describeCommand, optionWithEnv, wholeNumber } from '../command.js';
import type { ProbeRequest } from '../engine/probe.js';
import { examineEngine } from '../engine/examine.js';
import { redisUrlOf } from './coordinator.js';

interface WorkerFlags extends ProbeRequest {
  readonly redis?: string;
  readonly run?: string;
  readonly threads?: number;
  readonly listen: string;
  readonly once: boolean;
  readonly probe: boolean;
}

export function workerCommand(): Command {
  const command = describeCommand(
    'worker',
    'Waits for a seat of a run, trains, waits again. It holds no data set; SIGTERM leaves at the end of the step.',
    'cria worker --redis redis://127.0.0.1:6379 --engine tfjs',
  )
    .addOption(optionWithEnv('--redis <url>', 'redis://HOST:PORT', 'REDIS_URL'))
    .addOption(
      optionWithEnv(
        '--run <name>',
        'serve this run only (default: the oldest that it can compute)',
        'CRIA_RUN',
      ),
    )
    .addOption(
      optionWithEnv('--engine <kind>', 'which engine computes', 'CRIA_ENGINE')
        .choices(['auto', 'native', 'tfjs'])
        .default('auto'),
    )
    .addOption(
      new Option('--precision <precision>', 'with --probe: of the arithmetic')
        .choices(['auto', 'f32', 'bf16'])
        .default('auto')
        .hideHelp(),
    )
    .addOption(
      new Option('--backend <backend>', 'with --probe: of the tfjs engine')
        .choices(['auto', 'tensorflow', 'wasm', 'cpu'])
        .default('auto')
        .hideHelp(),
    )
    .addOption(optionWithEnv('--device <device>', 'cpu or cuda:N', 'CRIA_DEVICE').default('cpu'))
    .addOption(
      optionWithEnv('--threads <n>', 'compute threads (default: all cores)', 'CRIA_THREADS').argParser(
        wholeNumber(1),
      ),
    )
    .option('--listen <host>', 'address where other workers fetch from', '127.0.0.1')
    .option('--once', 'end after the first run has ended', false)
    .option('--probe', 'print the engine of this machine and end', false);
  return act<WorkerFlags>(command, async (terminal, flags) => {
    if (flags.probe) {
      const found = await examineEngine(flags);
      terminal.result(found, `${found.kind} ${found.precision}: ${found.description}\n${found.fingerprint}`);
      return EXIT.done;
    }
    const signal = signalsToAbort();
    await runWorker(optionsOf(flags), signal);
    return signal.aborted ? Number(signal.reason) : EXIT.done;
  });
}

function optionsOf(flags: WorkerFlags): WorkerOptions {
  return {
    redisUrl: redisUrlOf(flags.redis),
    run: flags.run ?? null,
    engine: flags.engine,
    device: flags.device,
    threads: flags.threads ?? availableParallelism(),
    listenHost: flags.listen,
    once: flags.once,
  };
}
