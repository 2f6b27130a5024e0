import { memory } from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presetConfig } from '../config/presets.js';
import { createEngine } from '../engine/create-engine.js';
import { lossFromBits } from '../engine/engine.js';
import type { Engine } from '../engine/engine.js';
import { initialParameters } from '../init/initial-parameters.js';
import type { BackendName } from './choose-backend.js';
import { installedTensorFlow } from './installed-tensorflow.js';

const CONFIG = {
  ...presetConfig('quickstart'),
  ...{
    hiddenSize: 24,
    intermediateSize: 40,
    layers: 2,
    heads: 6,
    kvHeads: 3,
    vocabSize: 300,
    maxPositions: 40,
  },
};
const LENGTH = 11;
const SEQUENCES = 3;
const TOKENS = Uint16Array.from({ length: SEQUENCES * (LENGTH + 1) }, (_, i) => (i * i * 7 + 3 * i) % 300);
const PARAMS = initialParameters({ ...CONFIG, initStd: 0.2 }, 42);

interface Slot {
  readonly lossBits: number;
  readonly gradient: Float32Array;
  readonly offsets: readonly number[];
}

async function newEngine(backend: BackendName): Promise<Engine> {
  const options = {
    device: 'cpu',
    threads: 1,
    precision: 'f32',
    config: CONFIG,
    sequenceLength: LENGTH,
  } as const;
  const engine = await createEngine({ kind: 'tfjs', backend, ...options });
  await engine.setParameters(PARAMS);
  return engine;
}

async function runSlot(engine: Engine, tokens = TOKENS): Promise<Slot> {
  const gradient = new Float32Array(engine.layout.paddedSize).fill(NaN);
  const offsets: number[] = [];
  const { lossBits } = await engine.runSlot(tokens, tokens.length / (LENGTH + 1), {
    bucket: (offset, values) => {
      expect(gradient.subarray(offset, offset + values.length).every(Number.isNaN), 'given once').toBe(true);
      gradient.set(values, offset);
      offsets.push(offset);
    },
  });
  return { lossBits, gradient, offsets };
}

const words = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer.slice(0));

const HAS_TENSORFLOW = installedTensorFlow('@tensorflow/tfjs-node', process.env) !== null;
const BACKENDS: readonly BackendName[] = [
  'wasm',
  'cpu',
  ...(HAS_TENSORFLOW ? (['tensorflow'] as const) : []),
];

describe.skipIf(HAS_TENSORFLOW)('the tfjs engine on TensorFlow', () => {
  it.skip('is not set up here: `cria setup --tensorflow cpu` brings it', () => undefined);
});

describe.each(BACKENDS)('the tfjs engine on %s', (backend) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await newEngine(backend);
  });
  afterAll(() => engine.dispose());

  it('gives every element of the gradient once, from the end to the start, with zeros as padding', async () => {
    const { gradient, offsets } = await runSlot(engine);
    expect(gradient.some(Number.isNaN)).toBe(false);
    expect(offsets).toEqual(engine.layout.tensors.map(({ offset }) => offset).reverse());
    for (const { offset, size } of engine.layout.tensors) {
      const padding = gradient.subarray(offset + size, Math.ceil((offset + size) / 256) * 256);
      expect(padding.every((value) => value === 0)).toBe(true);
    }
  });

  it('gives the same bits on every repeat, and from another engine', async () => {
    const first = await runSlot(engine);
    await runSlot(engine, TOKENS.slice(0, LENGTH + 1));
    const again = await runSlot(engine);
    expect(again.lossBits).toBe(first.lossBits);
    expect(words(again.gradient)).toEqual(words(first.gradient));
    const other = await newEngine(backend);
    const others = await runSlot(other);
    await other.dispose();
    expect(words(others.gradient)).toEqual(words(first.gradient));
  });

  it('has a gradient that predicts the change of the loss along itself', async () => {
    const { gradient } = await runSlot(engine);
    const squareNorm = gradient.reduce((sum, value) => sum + value * value, 0);
    const lossAt = async (step: number): Promise<number> => {
      await engine.setParameters(PARAMS.map((value, index) => value + (step * gradient[index]) / squareNorm));
      return (await engine.evaluate(TOKENS, SEQUENCES)).reduce((sum, loss) => sum + loss, 0) / SEQUENCES;
    };
    const slope = ((await lossAt(0.01)) - (await lossAt(-0.01))) / 0.02;
    await engine.setParameters(PARAMS);
    expect(slope).toBeCloseTo(1, 2); // f32 losses near 6 over a distance of 0.02
  });

  it('evaluates to the loss that it trains on, whatever else is evaluated beside it', async () => {
    const losses = await engine.evaluate(TOKENS, SEQUENCES);
    const { lossBits } = await runSlot(engine);
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / SEQUENCES;
    expect(mean).toBeCloseTo(lossFromBits(lossBits), 5);
    const second = await engine.evaluate(TOKENS.slice(LENGTH + 1, 2 * (LENGTH + 1)), 1);
    expect(second[0]).toBe(losses[1]);
  });

  it('does not look ahead', async () => {
    const changed = TOKENS.slice(0, LENGTH);
    changed[LENGTH - 1] = 5;
    const before = await engine.logits(TOKENS.slice(0, LENGTH - 1));
    expect(await engine.logits(changed.slice(0, LENGTH - 1))).toEqual(before);
    expect(await engine.logits(changed)).not.toEqual(await engine.logits(TOKENS.slice(0, LENGTH)));
  });

  it('keeps no tensor and no array of the caller', async () => {
    const params = new Float32Array(new SharedArrayBuffer(PARAMS.byteLength));
    params.set(PARAMS);
    await engine.setParameters(params);
    const expected = await runSlot(engine);
    params.fill(0);
    const before = memory().numTensors;
    for (let repeat = 0; repeat < 20; repeat++) {
      await runSlot(engine);
      await engine.evaluate(TOKENS, SEQUENCES);
      await engine.logits(TOKENS.slice(0, 5));
    }
    expect(memory().numTensors).toBe(before);
    await engine.setParameters(PARAMS);
    expect(memory().numTensors).toBe(before);
    expect(words((await runSlot(engine)).gradient)).toEqual(words(expected.gradient));
  });

  it('frees everything', async () => {
    const before = memory().numTensors;
    const other = await newEngine(backend);
    await runSlot(other);
    await other.dispose();
    expect(memory().numTensors).toBe(before);
    await expect(other.evaluate(TOKENS, SEQUENCES)).rejects.toThrow('setParameters');
  });

  it('gives the canonical NaN as the loss of broken weights', async () => {
    await engine.setParameters(PARAMS.map((value, index) => (index === 30 ? NaN : value)));
    const { lossBits } = await runSlot(engine);
    await engine.setParameters(PARAMS);
    expect(lossBits).toBe(0x7fc00000);
  });

  it('refuses tokens that are too few or not in the vocabulary', async () => {
    const sink = { bucket: (): void => undefined };
    await expect(engine.runSlot(TOKENS.slice(1), SEQUENCES, sink)).rejects.toThrow('36 are expected');
    const foreign = TOKENS.with(7, 300);
    await expect(engine.runSlot(foreign, SEQUENCES, sink)).rejects.toThrow(
      'token 300 at position 7 lies outside',
    );
    await expect(engine.logits(Uint16Array.of(300))).rejects.toThrow('outside');
  });
});

describe('the tfjs engines', () => {
  it('agree across backends', async () => {
    const [wasm, plain] = [await newEngine('wasm'), await newEngine('cpu')];
    const [left, right] = [await runSlot(wasm), await runSlot(plain)];
    await Promise.all([wasm.dispose(), plain.dispose()]);
    const largest = Math.max(...left.gradient.map(Math.abs));
    const worst = Math.max(...left.gradient.map((value, index) => Math.abs(value - right.gradient[index])));
    expect(worst / largest).toBeLessThan(1e-5);
    expect(wasm.fingerprint.libraries['backend']).toBe('wasm-simd');
    expect(plain.fingerprint.libraries['backend']).toBe('cpu');
    expect(wasm.description).toBe('tfjs wasm (SIMD)');
  });
});
