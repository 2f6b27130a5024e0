// `cria bench train`: one worker's whole training step with the native engine, at the shapes of docs/benchmarks.
import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import type { LlamaConfig } from '@cria/model';
import { measureTraining } from '@cria/model/native';
import type { TrainingResult } from '@cria/model/native';
import { systemClock } from '@cria/runtime';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { act, describeCommand, wholeNumber } from '../command.js';

interface Shape {
  readonly sequences: number;
  readonly sequenceLength: number;
  readonly config: LlamaConfig;
}

/** By growing size, so that the peak of a process is that of the shape it has just measured. */
const SHAPES: Readonly<Record<string, Shape>> = {
  w256: shape(8, { hiddenSize: 256, intermediateSize: 1024, layers: 4, heads: 8, maxPositions: 256 }),
  w512: shape(2, { hiddenSize: 512, intermediateSize: 2048, layers: 8, heads: 8, maxPositions: 512 }),
  w1024: shape(1, { hiddenSize: 1024, intermediateSize: 4096, layers: 4, heads: 16, maxPositions: 1024 }),
};

interface TrainFlags {
  readonly shape: readonly string[];
  readonly precision: 'f32' | 'bf16';
  readonly threads: number;
  readonly steps: number;
  readonly instructionSet?: string;
}

export function trainCommand(): Command {
  const command = describeCommand(
    'train',
    'Training steps of the native engine, AdamW included: tokens/s, GFLOP/s, share of what the registers can do, memory.',
    'cria bench train --shape w256,w1024 --threads 2',
  )
    .addOption(
      new Option('--shape <name,...>', `of ${Object.keys(SHAPES).join(', ')}`)
        .argParser(shapeNames)
        .default(Object.keys(SHAPES), 'all'),
    )
    .addOption(new Option('--precision <p>', 'of products').choices(['f32', 'bf16']).default('f32'))
    .addOption(
      new Option('--threads <n>', 'compute threads')
        .argParser(wholeNumber(1))
        .default(availableParallelism()),
    )
    .addOption(
      new Option('--steps <n>', 'steps of which the median counts').argParser(wholeNumber(1)).default(8),
    )
    .addOption(new Option('--instruction-set <name>', 'as engine.instructionSet; left out: the best here'));
  return act<TrainFlags>(command, async (terminal, flags) => {
    const { precision, threads, steps, instructionSet } = flags;
    const choice = instructionSet === undefined ? {} : { instructionSet };
    const results: object[] = [];
    terminal.line(TABLE_HEAD);
    for (const [name, sizes] of Object.entries(SHAPES)) {
      if (!flags.shape.includes(name)) continue;
      const fixed = { kind: 'native', slots: 1, clock: systemClock } as const;
      const options = { ...sizes, ...fixed, precision, threads, steps, ...choice };
      const result = await measureTraining(options);
      const peakBytes = await peakMemoryBytes();
      results.push({ shape: name, ...result, peakBytes });
      terminal.line(tableRow(name, result, peakBytes));
    }
    terminal.result({ processor: cpus()[0]?.model ?? '', precision, threads, steps, results }, '');
  });
}

function shape(
  sequences: number,
  sizes: Pick<LlamaConfig, 'hiddenSize' | 'intermediateSize' | 'layers' | 'heads' | 'maxPositions'>,
): Shape {
  return {
    sequences,
    sequenceLength: sizes.maxPositions,
    config: {
      ...sizes,
      ...{ kvHeads: 2, vocabSize: 50304, tieEmbeddings: false },
      ...{ ropeTheta: 10000, rmsNormEps: 1e-6, initStd: 0.02 },
    },
  };
}

function shapeNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !(name in SHAPES));
  if (unknown === undefined) return names;
  throw new InvalidArgumentError(`"${unknown}" is none of ${Object.keys(SHAPES).join(', ')}.`);
}

/** VmHWM where Linux tells it, else what the process has now. */
async function peakMemoryBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return kilobytes === undefined ? process.memoryUsage.rss() : Number(kilobytes) * 1024;
}

const COLUMNS = ['shape', 'tokens/s', 'GFLOP/s', 'of peak', 'step ms', 'best ms', 'peak GiB', 'good steps'];
const TABLE_HEAD = COLUMNS.map((name) => name.padStart(10)).join(' ');

function tableRow(name: string, result: TrainingResult, peakBytes: number): string {
  return [
    name,
    result.tokensPerSecond.toFixed(0),
    (result.flopsPerSecond / 1e9).toFixed(1),
    `${(100 * result.shareOfPeak).toFixed(0)} %`,
    result.stepMs.toFixed(0),
    result.bestStepMs.toFixed(0),
    (peakBytes / 2 ** 30).toFixed(2),
    String(result.goodSteps),
  ]
    .map((cell) => cell.padStart(10))
    .join(' ');
}
