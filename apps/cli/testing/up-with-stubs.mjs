// `cria up` over stub-cria.mjs: node up-with-stubs.mjs OUT STEPS DATA [--resume]. Prints the outcome as JSON.
import { fileURLToPath } from 'node:url';
import { validateRunConfig } from '@cria/protocol';
import { describeError, exitCodeOf, signalsToAbort } from '@cria/runtime';
import { up } from '../dist/up/up.js';

const [out, steps, data, resume] = process.argv.slice(2);
const signal = signalsToAbort();
const config = validateRunConfig(
  {
    run: 'stub',
    model: {
      ...{ hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, kvHeads: 1, vocabSize: 50304 },
      maxPositions: 8,
    },
    budget: { steps: 1_000_000, sequenceLength: 8, globalBatch: 2 },
    slots: 2,
    data: { train: [{ path: data }], validation: { fraction: 0 } },
    optimizer: { peakLr: 1e-3, minLr: 1e-4, warmupSteps: 1 },
  },
  'stub',
);
const request = {
  ...{
    config,
    out,
    resume: resume === '--resume',
    stopAfterSteps: Number(steps),
    coordinators: 1,
    device: 'cpu',
    threads: 1,
  },
  ...{ httpPort: 0, stay: false, redisUrl: null, stream: process.stderr },
  script: fileURLToPath(new URL('stub-cria.mjs', import.meta.url)),
};
try {
  const end = await up(request, signal);
  if (end !== null) console.log(JSON.stringify(end.outcome));
  process.exit(end === null ? signal.reason : 0);
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(exitCodeOf(error));
}
