// What `npm start` runs. The launcher has run `cria setup` before this is loaded.
import { basename, dirname } from 'node:path';
import { DirectoryStore, parseCheckpointName, verifyCheckpoint } from '@cria/checkpoint';
import { CriaError, present, signalsToAbort } from '@cria/runtime';
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { ending } from '../ending.js';
import { generateText } from '../engine/generate-text.js';
import { loadConfig } from '../run/load-config.js';
import type { Terminal } from '../terminal.js';
import { prepareQuickstart, quickstartFile } from '../up/default-config.js';
import { up, type UpEnd } from '../up/up.js';
import { describeEnd, resultOf } from './up.js';

const PROMPT = 'The economy of the country';
const SAMPLE_TOKENS = 60;

export function quickstartCommand(): Command {
  const command = describeCommand(
    'quickstart',
    'Sets up, trains a small Llama on real text, verifies its checkpoint and prints a sample. What `npm start` runs.',
    'npm start -- --stay',
  ).option('--stay', 'keep the dashboard up after the end');
  return act<{ stay?: boolean }>(command, async (terminal, { stay = false }) => {
    const signal = signalsToAbort();
    const end = await ending(signal, () => quickstart(terminal, stay, signal));
    return end === null ? Number(signal.reason) : undefined;
  });
}

async function quickstart(terminal: Terminal, stay: boolean, signal: AbortSignal): Promise<UpEnd | null> {
  const file = await quickstartFile({ engine: 'auto', device: 'cpu' }, signal);
  const config = loadConfig({ flags: { set: [] }, file });
  await prepareQuickstart(terminal, config, signal);
  return up(
    {
      config,
      ...{ out: null, resume: false, stopAfterSteps: null, coordinators: 1, device: 'cpu', threads: null },
      ...{ httpPort: 0, stay, redisUrl: process.env['REDIS_URL'] ?? null, stream: terminal.stream },
      onEnd: (end) => showResult(terminal, end, signal),
    },
    signal,
  );
}

async function showResult(terminal: Terminal, end: UpEnd, signal: AbortSignal): Promise<void> {
  const { checkpoint } = end.outcome;
  await expectVerified(checkpoint, signal);
  const sample = await generateText({
    directory: checkpoint,
    prompt: PROMPT,
    ...{ maxTokens: SAMPLE_TOKENS, temperature: 0.8, topP: 0.95, seed: 0, threads: 1, signal },
    engine: { engine: 'auto', device: 'cpu' },
  });
  const text = [
    describeEnd(end),
    'verified:   every file of the checkpoint has the hash that its manifest says',
    `sample:     ${PROMPT}${sample.text}`,
  ].join('\n');
  terminal.result({ ...resultOf(end.outcome), verified: true, sample: `${PROMPT}${sample.text}` }, text);
}

async function expectVerified(checkpoint: string, signal: AbortSignal): Promise<void> {
  const { step } = present(parseCheckpointName(basename(checkpoint)), `the step in the name ${checkpoint}`);
  const verification = await verifyCheckpoint(new DirectoryStore(dirname(checkpoint)), step, { signal });
  if (verification.ok) return;
  throw new CriaError('CHECKPOINT_CORRUPT', `${checkpoint} does not verify: ${verification.reason}`);
}
