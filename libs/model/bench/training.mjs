// One worker's whole training step at the shapes of docs/benchmarks: the slot on the engine that is named, then the exact
// sum, packing, norm, AdamW and the new weights with the native kernels. Prints one JSON line.
//
//   node libs/model/bench/training.mjs --engine tfjs --backend tensorflow --shape w256 --steps 6
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { systemClock } from '@cria/runtime';
import { presetConfig } from '../dist/index.js';
import { measureTraining } from '../dist/native/measure-training.js';

/** width, layers, heads, key/value heads, feed-forward width, sequence, sequences of the one slot */
const SHAPES = {
  w256: [256, 4, 8, 2, 1024, 256, 8],
  w512: [512, 8, 8, 2, 2048, 512, 2],
  w1024: [1024, 4, 16, 2, 4096, 1024, 1],
};

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'native' },
    backend: { type: 'string' },
    precision: { type: 'string', default: 'f32' },
    shape: { type: 'string', default: 'w256' },
    sequences: { type: 'string' },
    steps: { type: 'string', default: '6' },
    threads: { type: 'string', default: String(availableParallelism()) },
  },
});
const { engine, backend, precision, shape } = values;
const [hiddenSize, layers, heads, kvHeads, intermediateSize, sequenceLength, wholeSlot] = SHAPES[shape];
const sequences = Number(values.sequences ?? wholeSlot);
const result = await measureTraining({
  ...{ kind: engine, precision, slots: 1, sequences, sequenceLength, clock: systemClock },
  ...(backend === undefined ? {} : { backend }),
  ...{ threads: Number(values.threads), steps: Number(values.steps) },
  config: {
    ...presetConfig('quickstart'),
    ...{ hiddenSize, layers, heads, kvHeads, intermediateSize, vocabSize: 50304 },
    ...{ maxPositions: sequenceLength, tieEmbeddings: false },
  },
});
const { losses, ...figures } = result;
const asked = { engine, backend, precision, shape, sequences, threads: Number(values.threads) };
const bestTokensPerSecond = (1000 * sequences * sequenceLength) / result.bestStepMs;
const peakGiB = process.resourceUsage().maxRSS / 2 ** 20;
process.stdout.write(
  `${JSON.stringify({ ...asked, ...figures, bestTokensPerSecond, loss: losses.at(-1), peakGiB })}\n`,
);
process.exit(0);
