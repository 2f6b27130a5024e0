import { validateRunConfig } from '@cria/protocol';
import { describe, expect, it } from 'vitest';
import type { WorkerOptions } from '../options.js';
import { engineOptions, expectSameEngine } from './engine-options.js';

const MODEL = { hiddenSize: 8, intermediateSize: 8, layers: 1, heads: 2, kvHeads: 1 };
const CONFIG = validateRunConfig(
  {
    run: 'test',
    seed: 1,
    model: { ...MODEL, vocabSize: 50304, maxPositions: 8, tieEmbeddings: true },
    budget: { steps: 1, sequenceLength: 8, globalBatch: 2 },
    slots: 2,
    data: { train: [{ path: 'nowhere' }] },
    optimizer: { peakLr: 1e-3, minLr: 1e-4, warmupSteps: 1 },
    engine: { kind: 'tfjs', precision: 'f32' },
  },
  'a test',
);
const WORKER: WorkerOptions = {
  ...{
    redisUrl: '',
    run: null,
    engine: 'auto',
    device: 'cpu',
    threads: 3,
    listenHost: '127.0.0.1',
    once: true,
  },
};
const TENSORFLOW = 'tfjs/2 f32 cpu backend=tensorflow onednn=1 selftest=aa11 tensorflow=2.21.0 threads=2';
const WASM = 'tfjs/2 f32 cpu backend=wasm-simd tfjs-core=4.22.0';

describe('the engine of a worker', () => {
  it('has the backend and the thread pool of the run, whatever threads the worker was given', () => {
    expect(engineOptions(CONFIG, TENSORFLOW, WORKER)).toMatchObject({ backend: 'tensorflow', threads: 2 });
    expect(engineOptions(CONFIG, WASM, WORKER)).toMatchObject({ backend: 'wasm', threads: 3 });
  });

  it('is refused where the run has another, with both and the remedy', () => {
    const run = { runName: 'llama', fingerprint: TENSORFLOW };
    expect(() => expectSameEngine(run, TENSORFLOW)).not.toThrow();
    expect(() => expectSameEngine(run, WASM)).toThrow(
      `run llama was begun with engine "${TENSORFLOW}", this worker has "${WASM}": start it with the same engine`,
    );
    const otherBits = TENSORFLOW.replace('aa11', 'bb22');
    expect(() => expectSameEngine(run, otherBits)).toThrow('this processor computes other bits');
  });
});
