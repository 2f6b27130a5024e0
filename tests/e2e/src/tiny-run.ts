// The run that every test trains: as small as a vocabulary of 50,304 allows, yet every mechanism of a large one at
// work (several checkpoints, validation, warm-up, more slots than workers, parts for several owners).
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { runCria } from './cria.js';

export const TINY = {
  sequenceLength: 16,
  globalBatch: 6,
  /** Where tests stop with `--steps`; the schedule is that of the whole budget. */
  steps: 12,
  /** The budget; the reference trains it whole. */
  budgetSteps: 80,
  checkpointEverySteps: 4,
} as const;

export const TOKENS_PER_STEP = TINY.sequenceLength * TINY.globalBatch;

/** The run's configuration. @param tokens its token directory */
export function tinyConfig(tokens: string): string {
  return `
run: tiny
seed: 7
model: { hiddenSize: 16, intermediateSize: 32, layers: 1, heads: 2, kvHeads: 1, vocabSize: 50304, maxPositions: 16 }
budget: { steps: ${TINY.budgetSteps}, sequenceLength: ${TINY.sequenceLength}, globalBatch: ${TINY.globalBatch} }
slots: 6
data: { train: [ { path: ${tokens} } ], validation: { fraction: 0.004, everySteps: 6 } }
optimizer: { peakLr: 3e-3, minLr: 3e-4, warmupSteps: 3 }
engine: { kind: auto, precision: f32 }
checkpoint: { everySteps: ${TINY.checkpointEverySteps}, keep: 3 }
workers: { target: 1, min: 1 }
`;
}

/**
 * Time-outs that a busy machine does not reach: for claims that nothing is repeated and nobody suspected, which would
 * otherwise depend on how long the operating system lets a process wait.
 */
export const CALM: readonly string[] = [
  ...['heartbeatMs=5000', 'suspectMs=60000', 'gatherMs=60000'].flatMap((value) => [
    '--set',
    `timeouts.${value}`,
  ]),
];
/** Also where no coordinator is killed. */
export const LONG_LEASE: readonly string[] = ['--set', 'timeouts.leaseMs=60000'];

/** Makes token files in `folder` with `cria data prepare`; returns their directory. */
export async function prepareTokens(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const documents = Array.from({ length: 250 }, (_, i) => JSON.stringify({ text: documentText(i) }));
  writeFileSync(join(folder, 'corpus.jsonl'), `${documents.join('\n')}\n`);
  const made = await runCria(['data', 'prepare', 'corpus.jsonl', '--out', 'tokens', '--json'], {
    cwd: folder,
  });
  expect(made, 'cria data prepare').toMatchObject({ code: 0 });
  return join(folder, 'tokens');
}

const SUBJECTS = [
  'The llama',
  'A shepherd',
  'The old train',
  'Every harbour',
  'Our neighbour',
  'The committee',
];
const VERBS = ['watches', 'remembers', 'carries', 'paints', 'counts', 'follows', 'avoids'];
const OBJECTS = ['the mountains', 'seven baskets', 'a quiet river', 'the morning mail', 'its own shadow'];
const PLACES = ['in April', 'near La Paz', 'behind the market', 'at 4,000 metres', 'without a word'];

/** About 1 KB of sentences, others for every number; the same on every machine. */
function documentText(number: number): string {
  const pick = (words: readonly string[], at: number): string => words[at % words.length] as string;
  const sentences = Array.from({ length: 25 }, (_, i) => {
    const at = number * 25 + i;
    const place = pick(PLACES, (at * at) % 11);
    return `${pick(SUBJECTS, at)} ${pick(VERBS, at * 3)} ${pick(OBJECTS, at >> 1)} ${place}.`;
  });
  return `Page ${number}. ${sentences.join(' ')}`;
}
