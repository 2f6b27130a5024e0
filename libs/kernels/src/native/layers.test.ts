// Forward passes against double precision. f32: rounding of a few operations, 2e-6 of the largest value. bf16: inputs
// are bf16 exactly, so what is left is the rounding of results and of attention's weights to 8 bits, 2^-8.
import { Rng } from '@cria/runtime';
import { expect, it } from 'vitest';
import { BF16, F32 } from './native-context.js';
import type { Dtype } from './native-context.js';
import { describeInstructionSets } from './native-suite.js';
import { plainAttention, plainHeadLosses, plainRmsNorm, plainRotary, plainSwiglu } from './plain-layers.js';
import type { AttentionSizes } from './plain-layers.js';
import { deviation, emptyTensor, randomTensor, read, tensorOf } from './test-tensor.js';

const TOLERANCE: Record<Dtype, number> = { [F32]: 2e-6, [BF16]: 6e-3 };
const DTYPES = [F32, BF16] as const;

/** One more than a block of queries or keys, odd lengths and widths, two key/value heads under 16, decoding. */
const ATTENTION: AttentionSizes[] = [
  { batch: 1, queries: 1, keys: 1, heads: 1, kvHeads: 1, headSize: 2 },
  { batch: 2, queries: 49, keys: 49, heads: 4, kvHeads: 2, headSize: 10 },
  { batch: 1, queries: 65, keys: 65, heads: 16, kvHeads: 2, headSize: 6 },
  { batch: 1, queries: 130, keys: 130, heads: 1, kvHeads: 1, headSize: 66 },
  { batch: 3, queries: 1, keys: 97, heads: 3, kvHeads: 1, headSize: 16 },
  { batch: 1, queries: 5, keys: 71, heads: 2, kvHeads: 2, headSize: 8 },
];

describeInstructionSets('layers, forward', (instructionSet, addon) => {
  const context = new addon.NativeContext(instructionSet, 3);

  for (const dtype of DTYPES) {
    const name = dtype === F32 ? 'f32' : 'bf16';

    it.each([
      [1, 1],
      [3, 17],
      [67, 38],
      [5, 257],
    ])(`RMSNorm of [%i, %i] in ${name}`, (rows, width) => {
      const rng = new Rng(1);
      const x = randomTensor(rng, rows * width, F32, 3);
      const weight = randomTensor(rng, width, F32);
      const y = emptyTensor(rows * width, dtype);
      const rstd = new Float32Array(rows);
      context.rmsNormForward(y, rstd, x.stored, weight.stored, rows, width, 1e-6, dtype);
      const expected = plainRmsNorm(x.values, weight.values, rows, width, 1e-6);
      expect(deviation(read(y), expected)).toBeLessThan(TOLERANCE[dtype]);
    });

    it(`SwiGLU in ${name}, large arguments included`, () => {
      const rng = new Rng(2);
      const gate = randomTensor(rng, 1001, dtype, 9);
      const up = randomTensor(rng, 1001, dtype);
      const y = emptyTensor(1001, dtype);
      context.swigluForward(y, gate.stored, up.stored, 1001, dtype);
      expect(deviation(read(y), plainSwiglu(gate.values, up.values))).toBeLessThan(TOLERANCE[dtype]);
      const extreme = tensorOf(Float32Array.of(-1e4, 1e4, -90, 90, NaN), dtype);
      const one = tensorOf(new Float32Array(5).fill(1), dtype);
      const out = emptyTensor(5, dtype);
      context.swigluForward(out, extreme.stored, one.stored, 5, dtype);
      const [low, high, lower, higher, nan] = read(out);
      expect([Math.abs(low) < 1e-30, Math.abs(lower) < 1e-30]).toEqual([true, true]);
      expect([high, higher]).toEqual([extreme.values[1], extreme.values[3]]);
      expect(nan).toBeNaN();
    });

    it(`rotary embedding in ${name}, and back`, () => {
      const sizes = { heads: 3, headSize: 10, length: 7, first: 2 };
      const rows = 14;
      const rng = new Rng(3);
      const angles = Float64Array.from({ length: 9 * 5 }, (_, i) => i * 0.37);
      const cosines = tensorOf(Float32Array.from(angles, Math.cos), F32);
      const sines = tensorOf(Float32Array.from(angles, Math.sin), F32);
      const x = randomTensor(rng, rows * 30, dtype);
      const turned = x.stored.slice();
      const turn = (inverse: boolean): void =>
        context.rotary(turned, cosines.stored, sines.stored, rows, 7, 2, 3, 10, inverse, dtype);
      turn(false);
      const expected = plainRotary(x.values, cosines.values, sines.values, sizes);
      expect(deviation(read(turned), expected)).toBeLessThan(TOLERANCE[dtype]);
      turn(true);
      expect(deviation(read(turned), x.values)).toBeLessThan(2 * TOLERANCE[dtype]);
    });

    for (const sizes of ATTENTION) {
      const { batch, queries, keys, heads, kvHeads, headSize } = sizes;
      it(`attention in ${name}: ${JSON.stringify(sizes)}`, () => {
        const rng = new Rng(4);
        const q = randomTensor(rng, batch * queries * heads * headSize, dtype, 2);
        const k = randomTensor(rng, batch * keys * kvHeads * headSize, dtype, 2);
        const v = randomTensor(rng, batch * keys * kvHeads * headSize, dtype);
        const out = emptyTensor(q.values.length, dtype);
        const lse = new Float32Array(batch * heads * queries);
        context.attentionForward(
          ...[out, lse, q.stored, k.stored, v.stored, batch, queries, keys, heads, kvHeads, headSize, dtype],
        );
        expect(deviation(read(out), plainAttention(q.values, k.values, v.values, sizes))).toBeLessThan(
          TOLERANCE[dtype],
        );
      });
    }

    it.each([
      [1, 2, 3],
      [5, 7, 101],
      [513, 3, 49],
      [3, 9, 50257],
      [2, 16, 50304],
    ])(`losses of %i rows of width %i over %i words in ${name}`, (rows, width, vocabulary) => {
      const rng = new Rng(5);
      const x = randomTensor(rng, rows * width, dtype);
      const w = randomTensor(rng, vocabulary * width, dtype);
      const targets = Int32Array.from({ length: rows }, () => rng.below(vocabulary));
      const losses = new Float32Array(rows);
      context.headLoss(
        losses,
        null,
        null,
        x.stored,
        w.stored,
        targets,
        rows,
        width,
        vocabulary,
        false,
        dtype,
      );
      const expected = plainHeadLosses(x.values, w.values, targets, width);
      expect(deviation(Float64Array.from(losses), expected)).toBeLessThan(1e-6);
    });

    it(`losses of rows whose logits are far beyond exp's range in ${name}`, () => {
      const x = tensorOf(Float32Array.of(300, -300, 0.5, NaN), dtype);
      const w = tensorOf(Float32Array.of(1, 0.75, 0.5), dtype);
      const targets = Int32Array.of(1, 0, 2, 0);
      const losses = new Float32Array(4);
      context.headLoss(losses, null, null, x.stored, w.stored, targets, 4, 1, 3, false, dtype);
      const expected = plainHeadLosses(x.values, w.values, targets, 1);
      expect(deviation(Float64Array.from(losses.subarray(0, 3)), expected.subarray(0, 3))).toBeLessThan(1e-6);
      expect(losses[3]).toBeNaN();
    });
  }

  it.each([F32, BF16] as const)('embedding copies rows (dtype %i)', (dtype) => {
    const table = randomTensor(new Rng(6), 7 * 5, dtype);
    const y = new Float32Array(15);
    context.embeddingForward(y, Int32Array.of(6, 0, 6), table.stored, 3, 5, 7, dtype);
    const row = (token: number): number[] => [...table.values.subarray(5 * token, 5 * token + 5)];
    expect([...y]).toEqual([...row(6), ...row(0), ...row(6)]);
  });
});
