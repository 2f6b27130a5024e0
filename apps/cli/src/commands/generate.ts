import { availableParallelism } from 'node:os';
import { signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { modelDirectory } from '../checkpoint/open-store.js';
import { act, describeCommand, numberBetween, optionWithEnv, wholeNumber } from '../command.js';
import { generateText } from '../engine/generate-text.js';
import { ending } from '../ending.js';

interface GenerateFlags {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  readonly engine: 'auto' | 'native' | 'tfjs';
  readonly device: string;
}

export function generateCommand(): Command {
  const command = describeCommand(
    'generate',
    'Continues a text with a checkpoint (verified first), the newest one of a run, or any Hugging Face Llama directory.',
    'cria generate runs/quickstart --prompt "The economy of Peru"',
  )
    .argument('<checkpoint>', 'checkpoint, run directory or model directory')
    .requiredOption('--prompt <text>', 'the text to continue; empty: a new document')
    .addOption(
      new Option('--max-tokens <n>', 'at most so many new tokens').argParser(wholeNumber(1)).default(100),
    )
    .addOption(
      new Option('--temperature <t>', '0 takes the likeliest token')
        .argParser(numberBetween(0, 100))
        .default(0.8),
    )
    .addOption(
      new Option('--top-p <p>', 'only the likeliest tokens of so much probability')
        .argParser(numberBetween(0, 1))
        .default(0.95),
    )
    .addOption(
      new Option('--seed <s>', 'the same seed gives the same text').argParser(wholeNumber(0)).default(0),
    )
    .addOption(
      optionWithEnv('--engine <kind>', 'which engine computes', 'CRIA_ENGINE')
        .choices(['auto', 'native', 'tfjs'])
        .default('auto'),
    )
    .addOption(optionWithEnv('--device <device>', 'cpu or cuda:N', 'CRIA_DEVICE').default('cpu'));
  return act<GenerateFlags>(command, async (terminal, flags, [checkpoint = '']) => {
    const signal = signalsToAbort();
    const { engine, device, ...sampling } = flags;
    const generated = await ending(signal, async () => {
      const directory = await modelDirectory(checkpoint, { signal });
      if (!terminal.json) process.stdout.write(flags.prompt);
      return generateText({
        directory,
        ...sampling,
        engine: { engine, device },
        threads: availableParallelism(),
        signal,
        ...(terminal.json ? {} : { onText: (text: string) => void process.stdout.write(text) }),
      });
    });
    if (generated === null) return Number(signal.reason);
    terminal.result(generated, '\n');
    return undefined;
  });
}
