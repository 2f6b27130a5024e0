// Backward passes against finite differences of the double-precision forward passes. f32: 1e-5 of the largest value,
// the error of the differences included. bf16: products of rounded weights, 2^-6.
import { Rng } from '@cria/runtime';
import { expect, it } from 'vitest';
import { BF16, F32 } from './native-context.js';
import type { Dtype } from './native-context.js';
import { describeInstructionSets } from './native-suite.js';
import {
  dot,
  finiteDifferences,
  plainAttention,
  plainHeadLosses,
  plainLinear,
  plainRmsNorm,
  plainRotary,
  plainSwiglu,
} from './plain-layers.js';
import type { AttentionSizes, Values } from './plain-layers.js';
import { deviation, emptyTensor, randomTensor, read, tensorOf } from './test-tensor.js';

const TOLERANCE: Record<Dtype, number> = { [F32]: 1e-5, [BF16]: 1.6e-2 };

const ATTENTION: AttentionSizes[] = [
  { batch: 1, queries: 1, keys: 1, heads: 2, kvHeads: 1, headSize: 2 },
  { batch: 2, queries: 11, keys: 11, heads: 4, kvHeads: 2, headSize: 6 },
  { batch: 1, queries: 7, keys: 7, heads: 16, kvHeads: 2, headSize: 2 },
  { batch: 1, queries: 67, keys: 67, heads: 1, kvHeads: 1, headSize: 4 },
];

describeInstructionSets('layers, backward', (instructionSet, addon) => {
  const context = new addon.NativeContext(instructionSet, 3);

  for (const dtype of [F32, BF16] as const) {
    const name = dtype === F32 ? 'f32' : 'bf16';
    const within = (actual: Values, expected: Values, what: string): void => {
      expect(deviation(actual, expected), what).toBeLessThan(TOLERANCE[dtype]);
    };

    it(`linear in ${name}`, () => {
      const [rows, out, inner] = [5, 7, 3];
      const rng = new Rng(1);
      const x = randomTensor(rng, rows * inner, dtype);
      const w = randomTensor(rng, out * inner, dtype);
      const dy = randomTensor(rng, rows * out, dtype);
      const loss = (): number => dot(dy.values, plainLinear(x.values, w.values, rows, out, inner));
      const dx = emptyTensor(rows * inner, dtype);
      const dw = emptyTensor(out * inner, F32);
      context.linearBackwardInput(dx, dy.stored, w.stored, rows, out, inner, false, dtype, dtype);
      context.linearBackwardWeight(dw, dy.stored, x.stored, rows, out, inner, false, dtype);
      within(read(dx), finiteDifferences(x.values, loss), 'dx');
      within(read(dw), finiteDifferences(w.values, loss), 'dw');
    });

    it(`SwiGLU in ${name}, in place`, () => {
      const rng = new Rng(2);
      const [gate, up, dy] = [
        randomTensor(rng, 37, dtype, 4),
        randomTensor(rng, 37, dtype),
        randomTensor(rng, 37, dtype),
      ];
      const loss = (): number => dot(dy.values, plainSwiglu(gate.values, up.values));
      const dgate = finiteDifferences(gate.values, loss);
      const dup = finiteDifferences(up.values, loss);
      context.swigluBackward(gate.stored, up.stored, dy.stored, gate.stored, up.stored, 37, dtype);
      within(read(gate.stored), dgate, 'dgate');
      within(read(up.stored), dup, 'dup');
    });

    for (const sizes of ATTENTION) {
      const { batch, queries, keys, heads, kvHeads, headSize } = sizes;
      it(`attention in ${name}: ${JSON.stringify(sizes)}`, () => {
        const rng = new Rng(3);
        const q = randomTensor(rng, batch * queries * heads * headSize, dtype, 2);
        const k = randomTensor(rng, batch * keys * kvHeads * headSize, dtype, 2);
        const v = randomTensor(rng, batch * keys * kvHeads * headSize, dtype);
        const dout = randomTensor(rng, q.values.length, dtype);
        const out = emptyTensor(q.values.length, dtype);
        const lse = new Float32Array(batch * heads * queries);
        const shape = [batch, queries, keys, heads, kvHeads, headSize, dtype] as const;
        context.attentionForward(out, lse, q.stored, k.stored, v.stored, ...shape);
        const [dq, dk, dv] = [q, k, v].map(({ values }) => emptyTensor(values.length, dtype));
        context.attentionBackward(dq, dk, dv, out, lse, dout.stored, q.stored, k.stored, v.stored, ...shape);
        const loss = (): number => dot(dout.values, plainAttention(q.values, k.values, v.values, sizes));
        const expected = [q, k, v].map(({ values }) => finiteDifferences(values, loss));
        // One query sees one key: its weight is 1, so dq and dk are 0.
        const moving = keys > 1 ? [0, 1, 2] : [2];
        for (const i of moving) within(read([dq, dk, dv][i]), expected[i], ['dq', 'dk', 'dv'][i]);
      });
    }

    it.each([
      [1, 2, 5],
      [5, 3, 53],
      [515, 1, 7],
    ])(`head and loss of %i rows of width %i over %i words in ${name}`, (rows, width, vocabulary) => {
      const rng = new Rng(4);
      const x = randomTensor(rng, rows * width, dtype);
      const w = randomTensor(rng, vocabulary * width, dtype);
      const targets = Int32Array.from({ length: rows }, () => rng.below(vocabulary));
      const loss = (): number =>
        plainHeadLosses(x.values, w.values, targets, width).reduce((a, b) => a + b) / rows;
      const losses = new Float32Array(rows);
      const dx = emptyTensor(rows * width, F32);
      const dw = emptyTensor(vocabulary * width, F32);
      const sizes = [rows, width, vocabulary] as const;
      context.headLoss(losses, dx, dw, x.stored, w.stored, targets, ...sizes, false, dtype);
      const once = read(dw);
      within(read(dx), finiteDifferences(x.values, loss), 'dx');
      within(once, finiteDifferences(w.values, loss), 'dw');
      context.headLoss(losses, dx, dw, x.stored, w.stored, targets, ...sizes, true, dtype);
      within(
        read(dw),
        once.map((value) => 2 * value),
        'dw, added twice',
      );
    });
  }

  it.each([
    [1, 3],
    [65, 19],
  ])('RMSNorm of [%i, %i] with the residual, in place and in bf16', (rows, width) => {
    const rng = new Rng(5);
    const x = randomTensor(rng, rows * width, F32, 2);
    const weight = randomTensor(rng, width, F32);
    const dy = randomTensor(rng, rows * width, F32);
    const residual = randomTensor(rng, rows * width, F32);
    const y = emptyTensor(rows * width, F32);
    const rstd = new Float32Array(rows);
    context.rmsNormForward(y, rstd, x.stored, weight.stored, rows, width, 1e-6, F32);
    const loss = (): number =>
      dot(dy.values, plainRmsNorm(x.values, weight.values, rows, width, 1e-6)) +
      dot(residual.values, x.values);
    const dx = residual.stored.slice();
    const low = emptyTensor(rows * width, BF16);
    const dweight = emptyTensor(width, F32);
    context.rmsNormBackward(dx, low, dweight, rstd, dx, dy.stored, x.stored, weight.stored, rows, width);
    const expected = finiteDifferences(x.values, loss);
    expect(deviation(read(dx), expected)).toBeLessThan(1e-5);
    expect(deviation(read(low), expected)).toBeLessThan(4e-3);
    expect(deviation(read(dweight), finiteDifferences(weight.values, loss))).toBeLessThan(1e-5);
  });

  it.each([F32, BF16] as const)('rotary embedding, in place (dtype %i)', (dtype) => {
    const [heads, headSize, length, first, rows] = [3, 10, 7, 2, 14];
    const rng = new Rng(6);
    const angles = Float64Array.from({ length: (first + length) * (headSize / 2) }, (_, i) => i * 0.37);
    const cosines = tensorOf(Float32Array.from(angles, Math.cos), F32);
    const sines = tensorOf(Float32Array.from(angles, Math.sin), F32);
    const x = randomTensor(rng, rows * heads * headSize, dtype);
    const dy = randomTensor(rng, x.values.length, dtype);
    const sizes = { heads, headSize, length, first };
    const loss = (): number => dot(dy.values, plainRotary(x.values, cosines.values, sines.values, sizes));
    const dx = finiteDifferences(x.values, loss);
    const shape = [rows, length, first, heads, headSize, true, dtype] as const;
    context.rotary(dy.stored, cosines.stored, sines.stored, ...shape);
    expect(deviation(read(dy.stored), dx)).toBeLessThan(TOLERANCE[dtype]);
  });

  it('embedding, with equal tokens', () => {
    const [width, vocabulary] = [5, 7];
    const tokens = Int32Array.of(6, 0, 6, 3);
    const rng = new Rng(7);
    const table = randomTensor(rng, vocabulary * width, F32);
    const dy = randomTensor(rng, tokens.length * width, F32);
    const row = (token: number): Values => table.values.subarray(token * width, (token + 1) * width);
    const loss = (): number => dot(dy.values, Float64Array.from([...tokens].flatMap((t) => [...row(t)])));
    const dtable = new Float32Array(vocabulary * width);
    context.embeddingBackward(dtable, dy.stored, tokens, tokens.length, width, vocabulary);
    expect(deviation(read(dtable), finiteDifferences(table.values, loss))).toBeLessThan(1e-5);
  });

  it('embedding adds the rows of equal tokens', () => {
    const dtable = new Float32Array(8).fill(1);
    context.embeddingBackward(dtable, Float32Array.of(1, 2, 3, 4, 5, 6), Int32Array.of(2, 0, 2), 3, 2, 4);
    expect([...dtable]).toEqual([4, 5, 1, 1, 7, 9, 1, 1]);
  });
});
