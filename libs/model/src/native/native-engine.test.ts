// The native engine against PyTorch's golden values (golden/golden.test.ts explains them and the f32 tolerances) and
// against the tfjs engine. In bf16 it has to be as close to them as PyTorch 2.15's own bf16 autocast is with the same
// weights and slots on a CPU: the tolerances are autocast's largest deviations (of the two files the untied one), but
// for a sequence's loss.
import { createHash } from 'node:crypto';
import { loadAddon } from '@cria/kernels/native';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceKernels } from '@cria/kernels';
import type { LlamaConfig } from '../config/llama-config.js';
import { createEngine } from '../engine/create-engine.js';
import type { EngineOptions } from '../engine/create-engine.js';
import { lossFromBits } from '../engine/engine.js';
import type { Engine } from '../engine/engine.js';
import { decodeFloats, deviation, flatten, readGolden } from '../golden/golden-file.js';
import type { GoldenFile } from '../golden/golden-file.js';
import { initialParameters } from '../init/initial-parameters.js';
import { optimizerStep } from '../optimizer/optimizer-step.js';
import { createNativeEngine } from './native-engine.js';
import type { NativeEngineOptions } from './native-engine.js';

const loaded = loadAddon();
const TOLERANCES = {
  f32: { logits: 1e-5, loss: 1e-6, gradient: 1e-5, weights: 4e-5 },
  bf16: { logits: 5e-2, loss: 2e-3, gradient: 9.6e-2, weights: 5.2e-2 },
};

function optionsFor(golden: GoldenFile, change: Partial<NativeEngineOptions> = {}): NativeEngineOptions {
  const { config, sequenceLength } = golden;
  return { kind: 'native', device: 'cpu', threads: 2, precision: 'f32', config, sequenceLength, ...change };
}

async function gradientOf(
  engine: Engine,
  slot: Uint16Array,
  sequences: number,
): Promise<{ loss: number; gradient: Float32Array; offsets: number[] }> {
  const gradient = new Float32Array(engine.layout.paddedSize).fill(NaN);
  const offsets: number[] = [];
  const { lossBits } = await engine.runSlot(slot, sequences, {
    bucket: (offset, values) => {
      gradient.set(values, offset);
      offsets.push(offset);
    },
  });
  return { loss: lossFromBits(lossBits), gradient, offsets };
}

const UNTIED = { tieEmbeddings: false, vocabSize: 50_304 };

function sizes(
  hiddenSize: number,
  intermediateSize: number,
  heads: number,
  kvHeads: number,
): Partial<LlamaConfig> {
  return { hiddenSize, intermediateSize, heads, kvHeads };
}

function hashOf(...arrays: Float32Array[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of arrays)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}

describe.skipIf(loaded.kind === 'missing')(
  loaded.kind === 'missing' ? loaded.reason : 'the native engine',
  () => {
    const variants = [
      { precision: 'f32', head: 'tied' },
      { precision: 'f32', head: 'untied' },
      { precision: 'bf16', head: 'tied' },
      { precision: 'bf16', head: 'untied' },
    ] as const;

    describe.each(variants)('in $precision, $head head, against PyTorch', ({ precision, head }) => {
      const golden = readGolden(head);
      const slots = golden.slots.map((tokens) => Uint16Array.from(tokens));
      const tolerance = TOLERANCES[precision];
      let engine: Engine;

      beforeAll(async () => {
        engine = createNativeEngine(optionsFor(golden, { precision }));
        await engine.setParameters(flatten(engine.layout, golden.initialWeights));
      });
      afterAll(() => engine.dispose());

      it('gives the logits after every prefix', async () => {
        const expected = decodeFloats(golden.logits);
        const { vocabSize } = golden.config;
        for (let length = 1; length <= golden.sequenceLength; length++) {
          const row = expected.subarray((length - 1) * vocabSize, length * vocabSize);
          const logits = await engine.logits(slots[0].subarray(0, length));
          expect(deviation(logits, row), `after ${length} tokens`).toBeLessThan(tolerance.logits);
        }
      });

      it('gives the loss of the slot and of each sequence', async () => {
        const { loss } = await gradientOf(engine, slots[0], golden.sequences);
        expect(Math.abs(loss / golden.steps[0].loss - 1)).toBeLessThan(tolerance.loss);
        const losses = await engine.evaluate(slots[0], golden.sequences);
        expect(deviation(losses, Float32Array.from(golden.sequenceLosses))).toBeLessThan(tolerance.loss);
      });

      it('gives the gradient of every tensor, from the end of the layout to its start', async () => {
        const { gradient, offsets } = await gradientOf(engine, slots[0], golden.sequences);
        const expected = flatten(engine.layout, golden.gradients);
        for (const { name, offset, size } of engine.layout.tensors) {
          const [actual, right] = [gradient, expected].map((flat) => flat.subarray(offset, offset + size));
          expect(deviation(actual, right), name).toBeLessThan(tolerance.gradient);
        }
        expect(gradient.findIndex(Number.isNaN), 'padding included').toBe(-1);
        expect(offsets).toEqual([...offsets].sort((a, b) => b - a));
      });

      it('gives the weights after three AdamW steps with clipping', async () => {
        const params = flatten(engine.layout, golden.initialWeights);
        const size = params.length;
        const state = { params, expAvg: new Float32Array(size), expAvgSq: new Float32Array(size) };
        for (const [step, slot] of slots.entries()) {
          await engine.setParameters(state.params);
          const { loss, gradient } = await gradientOf(engine, slot, golden.sequences);
          const gradNorm = Math.fround(Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0)));
          expect(Math.abs(loss / golden.steps[step].loss - 1)).toBeLessThan(10 * tolerance.loss);
          const scalars = optimizerStep(golden.optimizer, { step, steps: golden.budgetSteps, gradNorm });
          for (const { offset, size: length, decay } of engine.layout.tensors) {
            const range = gradient.subarray(offset, offset + length);
            referenceKernels.adamwUpdate(state, range, offset, offset + length, decay, scalars);
          }
        }
        await engine.setParameters(flatten(engine.layout, golden.initialWeights));
        const expected = flatten(engine.layout, golden.finalWeights);
        for (const { name, offset, size: length } of engine.layout.tensors) {
          const [weights, right] = [params, expected].map((flat) => flat.subarray(offset, offset + length));
          expect(deviation(weights, right), name).toBeLessThan(tolerance.weights);
        }
      });
    });

    const config = {
      ...{
        hiddenSize: 48,
        intermediateSize: 100,
        layers: 3,
        heads: 8,
        kvHeads: 2,
        vocabSize: 1009,
        maxPositions: 70,
      },
      ...{ tieEmbeddings: true, ropeTheta: 10_000, rmsNormEps: 1e-6, initStd: 0.05 },
    };
    const sequenceLength = 67;
    const slot = Uint16Array.from({ length: 3 * 68 }, (_, i) => (i * 7919) % 1009);
    const base: EngineOptions = {
      kind: 'native',
      device: 'cpu',
      threads: 1,
      precision: 'f32',
      config,
      sequenceLength,
    };

    async function slotHash(change: Partial<NativeEngineOptions>): Promise<string> {
      const engine = createNativeEngine({ ...base, ...change });
      await engine.setParameters(initialParameters(config, 1));
      const { loss, gradient } = await gradientOf(engine, slot, 3);
      const [losses, logits] = [await engine.evaluate(slot, 3), await engine.logits(slot.subarray(0, 60))];
      await engine.dispose();
      return hashOf(Float32Array.of(loss), gradient, losses, logits);
    }

    it.each(['f32', 'bf16'] as const)(
      '%s: the same bits for any threads, instruction set, and with recomputation',
      async (precision) => {
        const expected = await slotHash({ precision });
        for (const threads of [1, 2, 3, 8]) expect(await slotHash({ precision, threads })).toBe(expected);
        const sets = loaded.kind === 'loaded' ? loaded.addon.instructionSets() : [];
        for (const instructionSet of sets)
          expect(await slotHash({ precision, instructionSet })).toBe(expected);
        expect(await slotHash({ precision, recompute: true })).toBe(expected);
      },
    );

    /** Sizes that hurt: 1, primes, one more than a tile, 2 key/value heads under 16, GPT-2's vocabulary, bare and padded. */
    const awkward: Array<[string, Partial<LlamaConfig>, number, number]> = [
      ['8 heads over 2', {}, 67, 3],
      ['the least of all', { ...sizes(2, 1, 1, 1), layers: 1, vocabSize: 2, maxPositions: 1 }, 1, 1],
      ['primes, one more than a tile', { ...sizes(66, 131, 3, 1), layers: 2, vocabSize: 97 }, 17, 5],
      ['16 heads over 2, 50257 words', { ...sizes(64, 127, 16, 2), layers: 1, vocabSize: 50_257 }, 13, 2],
      ['50304 words, a head of its own', { ...UNTIED, ...sizes(64, 33, 16, 2), layers: 1 }, 33, 1],
    ];

    it.each(awkward)(
      'agrees with the tfjs engine on every gradient: %s',
      async (_, change, length, count) => {
        const shape = { ...base, config: { ...config, ...change }, sequenceLength: length };
        const params = initialParameters(shape.config, 2);
        const tokens = Uint16Array.from(
          { length: count * (length + 1) },
          (_unused, i) => (i * 7919) % shape.config.vocabSize,
        );
        const engines = [
          createNativeEngine(shape),
          await createEngine({ ...shape, kind: 'tfjs', backend: 'wasm' }),
        ];
        const gradients = [];
        for (const engine of engines) {
          await engine.setParameters(params);
          gradients.push(await gradientOf(engine, tokens, count));
          await engine.dispose();
        }
        const [native, tfjs] = gradients;
        expect(Math.abs(native.loss / tfjs.loss - 1)).toBeLessThan(1e-6);
        expect(deviation(native.gradient, tfjs.gradient)).toBeLessThan(2e-6);
      },
    );

    it.each(['f32', 'bf16'] as const)(
      '%s: logits are those of a fresh engine, whatever the cache holds',
      async (precision) => {
        const params = initialParameters(config, 3);
        const warm = createNativeEngine({ ...base, precision });
        await warm.setParameters(params);
        for (const [from, to] of [
          [0, 5],
          [0, 6],
          [0, 50],
          [0, 70],
          [3, 9],
          [3, 10],
          [0, 50],
        ]) {
          const fresh = createNativeEngine({ ...base, precision });
          await fresh.setParameters(params);
          const tokens = slot.subarray(from, to);
          expect(hashOf(await warm.logits(tokens)), `${from} to ${to}`).toBe(
            hashOf(await fresh.logits(tokens)),
          );
          await fresh.dispose();
        }
        await warm.setParameters(initialParameters(config, 4));
        expect(hashOf(await warm.logits(slot.subarray(0, 5)))).not.toBe(
          hashOf(await warm.logits(slot.subarray(0, 6))),
        );
        await warm.dispose();
      },
    );

    it('learns: plain descent on one slot halves its loss', async () => {
      const engine = createNativeEngine({ ...base, precision: 'bf16' });
      const params = initialParameters(config, 5);
      const losses: number[] = [];
      for (let step = 0; step < 60; step++) {
        await engine.setParameters(params);
        const { loss, gradient } = await gradientOf(engine, slot, 3);
        losses.push(loss);
        gradient.forEach((g, i) => (params[i] -= g));
      }
      await engine.dispose();
      expect(losses[0]).toBeCloseTo(Math.log(1009), 0);
      expect(losses[59]).toBeLessThan(losses[0] / 2);
    });

    it('refuses a GPU and an unknown instruction set with the remedy', () => {
      expect(() => createNativeEngine({ ...base, device: 'cuda:0' })).toThrow(
        'use --device cpu, or --engine tfjs',
      );
      expect(() => createNativeEngine({ ...base, instructionSet: 'mmx' })).toThrow(
        'engine.instructionSet is mmx',
      );
    });

    it('refuses tokens outside the vocabulary and slots of another shape', async () => {
      const engine = createNativeEngine(base);
      await engine.setParameters(initialParameters(config, 1));
      const sink = { bucket: () => undefined };
      const wrong = slot.slice();
      wrong[7] = 1009;
      await expect(engine.runSlot(wrong, 3, sink)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
      await expect(engine.runSlot(slot, 2, sink)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
      await engine.dispose();
    });
  },
);
