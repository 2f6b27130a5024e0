// The three matrix products. Operands are bf16 numbers here even in f32, so that every product a * b is exact in a
// double and JavaScript can follow the chain of fused multiply-adds bit by bit.
import { Rng } from '@cria/runtime';
import { expect, it } from 'vitest';
import { BF16, F32 } from './native-context.js';
import type { Dtype } from './native-context.js';
import { describeInstructionSets } from './native-suite.js';
import type { Values } from './plain-layers.js';
import { emptyTensor, randomTensor, read, tensorOf } from './test-tensor.js';
import type { TestTensor } from './test-tensor.js';

/** rows, outFeatures, inFeatures: 1, primes, one more than a tile or a block in every direction. */
const SHAPES = [
  [1, 1, 1],
  [1, 7, 2],
  [5, 3, 1],
  [7, 65, 39],
  [49, 17, 64],
  [13, 129, 1031],
  [193, 66, 33],
] as const;

const f32 = Math.fround;

/** One chain over k: ascending in f32, odd before even of each pair in bf16, the padding of an odd count included. */
function chain(
  a: (k: number) => number,
  b: (k: number) => number,
  count: number,
  dtype: Dtype,
  from = 0,
): number {
  let sum = from;
  if (dtype === F32) {
    for (let k = 0; k < count; k++) sum = f32(a(k) * b(k) + sum);
    return sum;
  }
  for (let k = 0; k < count; k += 2) {
    if (k + 1 < count) sum = f32(a(k + 1) * b(k + 1) + sum);
    sum = f32(a(k) * b(k) + sum);
  }
  return sum;
}

function bf16Numbers(rng: Rng, count: number, dtype: Dtype): TestTensor {
  return tensorOf(Float32Array.from(randomTensor(rng, count, BF16).values), dtype);
}

describeInstructionSets('matrix products', (instructionSet, addon) => {
  const context = new addon.NativeContext(instructionSet, 2);

  for (const [rows, out, inner] of SHAPES) {
    for (const dtype of [F32, BF16] as const) {
      const name = `[${rows}, ${inner}] and [${out}, ${inner}] in ${dtype === F32 ? 'f32' : 'bf16'}`;
      const rng = new Rng(rows * 1000 + out);
      const x = bf16Numbers(rng, rows * inner, dtype);
      const w = bf16Numbers(rng, out * inner, dtype);
      const dy = bf16Numbers(rng, rows * out, dtype);

      it(`forward is one chain per element: ${name}`, () => {
        const y = emptyTensor(rows * out, F32);
        context.linearForward(y, x.stored, w.stored, null, rows, out, inner, dtype, F32);
        const expected = Float64Array.from({ length: rows * out }, (_, i) => {
          const [m, n] = [Math.floor(i / out), i % out];
          return chain(
            (k) => x.values[m * inner + k],
            (k) => w.values[n * inner + k],
            inner,
            dtype,
          );
        });
        expectBits(read(y), expected);

        const residual = bf16Numbers(rng, rows * out, F32);
        context.linearForward(y, x.stored, w.stored, residual.stored, rows, out, inner, dtype, F32);
        expectBits(
          read(y),
          expected.map((value, i) => f32(residual.values[i] + value)),
        );

        const low = emptyTensor(rows * out, BF16);
        context.linearForward(low, x.stored, w.stored, null, rows, out, inner, dtype, BF16);
        expectBits(read(low), tensorOf(Float32Array.from(expected), BF16).values);
      });

      it(`backward to the input goes on from what is there: ${name}`, () => {
        const dx = bf16Numbers(rng, rows * inner, F32);
        const at = (i: number, from: number): number => {
          const [m, c] = [Math.floor(i / inner), i % inner];
          return chain(
            (k) => dy.values[m * out + k],
            (k) => w.values[k * inner + c],
            out,
            dtype,
            from,
          );
        };
        const overwritten = emptyTensor(rows * inner, F32);
        context.linearBackwardInput(overwritten, dy.stored, w.stored, rows, out, inner, false, dtype, F32);
        expectBits(
          read(overwritten),
          dx.values.map((_, i) => at(i, 0)),
        );
        context.linearBackwardInput(dx.stored, dy.stored, w.stored, rows, out, inner, true, dtype, F32);
        expectBits(
          read(dx.stored),
          dx.values.map((value, i) => at(i, value)),
        );
      });

      it(`backward to the weight goes on from what is there: ${name}`, () => {
        const dw = bf16Numbers(rng, out * inner, F32);
        const at = (i: number, from: number): number => {
          const [n, c] = [Math.floor(i / inner), i % inner];
          return chain(
            (k) => dy.values[k * out + n],
            (k) => x.values[k * inner + c],
            rows,
            dtype,
            from,
          );
        };
        const overwritten = emptyTensor(out * inner, F32);
        context.linearBackwardWeight(overwritten, dy.stored, x.stored, rows, out, inner, false, dtype);
        expectBits(
          read(overwritten),
          dw.values.map((_, i) => at(i, 0)),
        );
        context.linearBackwardWeight(dw.stored, dy.stored, x.stored, rows, out, inner, true, dtype);
        expectBits(
          read(dw.stored),
          dw.values.map((value, i) => at(i, value)),
        );
      });
    }
  }
});

function expectBits(actual: Values, expected: Values): void {
  const wrong = actual.findIndex((value, i) => value !== expected[i]);
  expect(wrong < 0 ? 'equal' : `[${wrong}] is ${actual[wrong]}, expected ${expected[wrong]}`).toBe('equal');
}
