import { enableProdMode, setBackend, tensor2d } from '@tensorflow/tfjs-core';
import type { Tensor2D } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { addRows } from './add-rows.js';
import { headLosses, meanLoss } from './head-loss.js';
import { generalProducts } from './matrix-products.js';

function losses(logits: number[][], targets: number[]): number[] {
  const width = logits[0].length;
  const identity = Array.from({ length: width }, (_, row) =>
    Array.from({ length: width }, (_, i) => +(i === row)),
  );
  const head = { matrix: tensor2d(identity) as Tensor2D, transposed: null };
  const inputs = { products: generalProducts, head, targets: Int32Array.from(targets) };
  return Array.from(headLosses(inputs, tensor2d(logits)));
}

describe('the loss of a token', () => {
  beforeAll(async () => {
    enableProdMode();
    await setBackend('cpu');
  });

  it('is the negative logarithm of its probability', () => {
    expect(losses([[0, 0, 0, 0]], [2])[0]).toBeCloseTo(Math.log(4), 6);
    expect(losses([[Math.log(3), 0]], [0])[0]).toBeCloseTo(Math.log(4 / 3), 6);
  });

  it('stays finite and right where the probability underflows', () => {
    expect(losses([[400, -100, 0]], [1])[0]).toBe(500);
    expect(losses([[90, 90, 0]], [2])[0]).toBeCloseTo(90 + Math.LN2, 4);
  });

  it('is NaN where a logit is, so that the slot is flagged', () => {
    expect(losses([[NaN, 0, 1]], [1])[0]).toBeNaN();
    expect(meanLoss(Float32Array.of(1, NaN))).toBeNaN();
  });

  it('goes into the mean in order, rounded once', () => {
    expect(meanLoss(Float32Array.of(1, 2 ** -24, 2 ** -24, 2 ** -24))).toBe(
      Math.fround((1 + 3 * 2 ** -24) / 4),
    );
  });
});

it('rows of one index add up in order', () => {
  const target = new Float32Array(6);
  addRows(target, Int32Array.of(2, 0, 2), Float32Array.of(1, 2, 3, 4, 10, 20));
  expect(Array.from(target)).toEqual([3, 4, 0, 0, 11, 22]);
});
