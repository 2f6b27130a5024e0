// A run has a hundred thousand steps: what a step leaves behind adds up.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { backend, memory } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { presetConfig } from '../config/presets.js';
import { createEngine } from '../engine/create-engine.js';
import { initialParameters } from '../init/initial-parameters.js';
import type { BackendName } from './choose-backend.js';
import { installedTensorFlow } from './installed-tensorflow.js';

const SIZES = {
  hiddenSize: 8,
  intermediateSize: 8,
  layers: 2,
  heads: 2,
  kvHeads: 1,
  vocabSize: 60,
  maxPositions: 8,
};
const CONFIG = { ...presetConfig('quickstart'), ...SIZES };
const STEPS = 1000;
/** Heaps have grown to their size by then. */
const SETTLED = 400;
/** Of live objects and buffers, garbage collected: 7 KB that stayed with each step would be as much as this. */
const MOST_GROWTH_MB = 4;

const HAS_TENSORFLOW = installedTensorFlow('@tensorflow/tfjs-node', process.env) !== null;
const BACKENDS: readonly BackendName[] = HAS_TENSORFLOW ? ['wasm', 'tensorflow'] : ['wasm'];

describe.skipIf(HAS_TENSORFLOW)('a thousand steps on TensorFlow', () => {
  it.skip('are not taken here: `cria setup --tensorflow cpu` brings it', () => undefined);
});

describe.each(BACKENDS)('a thousand steps on %s', (name) => {
  it('leave no tensor and no memory behind', { timeout: 600_000 }, async () => {
    const options = {
      device: 'cpu',
      threads: 1,
      precision: 'f32',
      config: CONFIG,
      sequenceLength: 8,
    } as const;
    const engine = await createEngine({ kind: 'tfjs', backend: name, ...options });
    const params = initialParameters(CONFIG, 3);
    const tokens = Uint16Array.from({ length: 2 * 9 }, (_, i) => (i * 7) % 60);
    let settled = { tensors: 0, onDevice: 0, liveMb: 0 };
    for (let step = 0; step < STEPS; step++) {
      await engine.setParameters(params);
      await engine.runSlot(tokens, 2, { bucket: () => undefined });
      if (step === SETTLED) settled = held();
    }
    const end = held();
    await engine.dispose();
    expect(end.tensors).toBe(settled.tensors);
    expect(end.onDevice).toBe(settled.onDevice);
    expect(end.liveMb - settled.liveMb).toBeLessThan(MOST_GROWTH_MB);
  });
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function held(): { tensors: number; onDevice: number; liveMb: number } {
  collectGarbage();
  const { binding } = backend() as unknown as { binding?: { getNumOfTensors(): number } };
  const { heapUsed, external } = process.memoryUsage();
  const liveMb = (heapUsed + external) / 2 ** 20;
  return { tensors: memory().numTensors, onDevice: binding?.getNumOfTensors() ?? 0, liveMb };
}
