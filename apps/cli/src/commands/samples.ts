import type { RunConfig } from '@cria/protocol';
import { CriaError, signalsToAbort, sleep, systemClock } from '@cria/runtime';
import type { Command } from 'commander';
import { openStore } from '../checkpoint/open-store.js';
import { act, describeCommand, optionWithEnv } from '../command.js';
import { readRunConfig } from '../run/run-config-file.js';
import { isAlive, readRunFile } from '../run/run-file.js';
import { sampleCheckpoint, sampledSteps } from '../samples/sample-checkpoint.js';

interface SamplesFlags {
  readonly follow?: true;
  readonly engine: string;
  readonly device: string;
}

const LOOK_MS = 2_000;

export function samplesCommand(): Command {
  const command = describeCommand(
    'samples',
    "Continues the prompts of a run's configuration (samples.prompts) with each of its checkpoints that has no samples yet; the dashboard shows them. `cria up` does this by itself.",
    'cria samples runs/quickstart --follow',
  )
    .argument('<run-dir>', "the run's directory")
    .option('--follow', 'go on with new checkpoints until the run has ended')
    .addOption(
      optionWithEnv('--engine <kind>', 'which engine computes', 'CRIA_ENGINE')
        .choices(['auto', 'native', 'tfjs'])
        .default('auto'),
    )
    .addOption(optionWithEnv('--device <device>', 'cpu or cuda:N', 'CRIA_DEVICE').default('cpu'));
  return act<SamplesFlags>(command, async (terminal, { follow, engine, device }, [runDir = '']) => {
    const config = readRunConfig(runDir);
    if (config.samples.prompts.length === 0) {
      throw new CriaError(
        'CONFIG_INVALID',
        `${runDir} was started without prompts: samples.prompts is empty`,
      );
    }
    const signal = signalsToAbort();
    const options = { config, outDir: runDir, engine, device, clock: systemClock, signal };
    const written: number[] = [];
    for (;;) {
      // Asked first: what is written between the two is seen by the next look, and there is always one more.
      const goesOn = follow === true && isRunning(runDir);
      for (const step of await lacking(runDir, config)) {
        if (signal.aborted) break;
        await sampleCheckpoint(step, options);
        written.push(step);
      }
      if (!goesOn || signal.aborted) break;
      await sleep(systemClock, LOOK_MS, signal).catch(() => undefined);
    }
    if (signal.aborted) return Number(signal.reason);
    terminal.result({ steps: written }, sentence(written));
    return undefined;
  });
}

/** Checkpoints that are whole and have no samples, oldest first. */
async function lacking(runDir: string, config: RunConfig): Promise<number[]> {
  const stored = await openStore(runDir, config).list();
  const sampled = sampledSteps(runDir);
  const steps = stored.filter(({ complete }) => complete).map(({ step }) => step);
  return steps.filter((step) => step > 0 && !sampled.has(step)).sort((a, b) => a - b);
}

function isRunning(runDir: string): boolean {
  const file = readRunFile(runDir);
  return file !== null && isAlive(file);
}

function sentence(steps: readonly number[]): string {
  if (steps.length === 0) return 'every checkpoint has its samples already';
  return `samples of ${steps.length === 1 ? 'step' : 'steps'} ${steps.join(', ')} are written`;
}
