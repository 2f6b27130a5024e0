import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parameterLayout } from '../config/parameter-layout.js';
import { presetConfig } from '../config/presets.js';
import { initialParameters } from './initial-parameters.js';

const CONFIG = {
  ...presetConfig('quickstart'),
  hiddenSize: 36,
  heads: 2,
  intermediateSize: 50,
  layers: 2,
  vocabSize: 999,
};
const LAYOUT = parameterLayout(CONFIG);

function tensor(flat: Float32Array, name: string, layout = LAYOUT): Float32Array {
  const place = layout.tensors.find((candidate) => candidate.name === name);
  if (place === undefined) throw new Error(name);
  return flat.subarray(place.offset, place.offset + place.size);
}

function meanAndDeviation(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

describe('initial parameters', () => {
  it('have these bits for ever: state[0] of every run depends on them', () => {
    const bytes = new Uint8Array(initialParameters(CONFIG, 1337).buffer);
    expect(createHash('sha256').update(bytes).digest('hex')).toMatchInlineSnapshot(
      `"21827d1ad19ab26b374d1e2fafd71b108cc91d3e738236e5ad3056c86cf28da1"`,
    );
  });

  it('of an element depend on seed, tensor and element alone', () => {
    const larger = { ...CONFIG, vocabSize: 1200 };
    const few = initialParameters(CONFIG, 7);
    const many = initialParameters(larger, 7);
    const embedding = tensor(few, 'model.embed_tokens.weight');
    expect(
      tensor(many, 'model.embed_tokens.weight', parameterLayout(larger)).subarray(0, embedding.length),
    ).toEqual(embedding);
    expect(tensor(initialParameters(CONFIG, 8), 'model.embed_tokens.weight')).not.toEqual(embedding);
  });

  it('of two tensors of one shape differ', () => {
    const flat = initialParameters(CONFIG, 7);
    expect(tensor(flat, 'model.layers.0.mlp.gate_proj.weight')).not.toEqual(
      tensor(flat, 'model.layers.0.mlp.up_proj.weight'),
    );
  });

  it('are normal with the asked deviation, smaller into the residual stream', () => {
    const flat = initialParameters(CONFIG, 1);
    const values = tensor(flat, 'model.embed_tokens.weight');
    const { mean, deviation } = meanAndDeviation(values);
    expect(Math.abs(mean)).toBeLessThan((4 * 0.02) / Math.sqrt(values.length));
    expect(deviation / 0.02).toBeCloseTo(1, 1.5);
    const withinOneDeviation = values.filter((value) => Math.abs(value) < 0.02).length / values.length;
    expect(withinOneDeviation).toBeCloseTo(0.6827, 2);
    const residual = meanAndDeviation(tensor(flat, 'model.layers.1.mlp.down_proj.weight'));
    expect(residual.deviation / (0.02 / Math.sqrt(2 * CONFIG.layers))).toBeCloseTo(1, 1);
  });

  it('are 1 for norms and 0 for padding', () => {
    const flat = initialParameters(CONFIG, 1);
    expect(tensor(flat, 'model.norm.weight').every((value) => value === 1)).toBe(true);
    for (const [index, { offset, size }] of LAYOUT.tensors.entries()) {
      const end = LAYOUT.tensors[index + 1]?.offset ?? LAYOUT.paddedSize;
      expect(flat.subarray(offset + size, end).every((value) => value === 0)).toBe(true);
    }
  });

  it('can be written into shared memory', () => {
    const shared = new Float32Array(new SharedArrayBuffer(4 * LAYOUT.paddedSize));
    expect(initialParameters(CONFIG, 1337, shared)).toBe(shared);
    expect(Array.from(shared)).toEqual(Array.from(initialParameters(CONFIG, 1337)));
  });
});
