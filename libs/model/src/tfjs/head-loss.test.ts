import { enableProdMode, setBackend, tensor2d, transpose, valueAndGrad } from '@tensorflow/tfjs-core';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { addRows } from './add-rows.js';
import { headLoss, headLosses, meanLoss } from './head-loss.js';
import { generalProducts, plainProducts } from './matrix-products.js';

const CHUNK_LOGITS = 2 ** 23;

function losses(logits: number[][], targets: number[]): number[] {
  const width = logits[0].length;
  const identity = Array.from({ length: width }, (_, row) =>
    Array.from({ length: width }, (_, i) => +(i === row)),
  );
  const head = { matrix: tensor2d(identity) as Tensor2D, transposed: null };
  const inputs = {
    products: generalProducts,
    chunkLogits: CHUNK_LOGITS,
    head,
    targets: Int32Array.from(targets),
  };
  return Array.from(headLosses(inputs, tensor2d(logits)));
}

beforeAll(async () => {
  enableProdMode();
  await setBackend('cpu');
});

describe('the loss of a token', () => {
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

describe('the gradients of many rows, which go through in several chunks', () => {
  const [rows, width, vocabulary] = [1100, 3, 7];
  const hidden = Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i * 1.3));
  const matrix = Float32Array.from({ length: vocabulary * width }, (_, i) => Math.cos(i * 2.1));
  const targets = Int32Array.from({ length: rows }, (_, i) => (i * i) % vocabulary);

  it.each([
    ['general', generalProducts, false],
    ['plain', plainProducts, true],
  ] as const)('are those of the formulas, with %s products', (_, products, transposes) => {
    const weight = tensor2d(matrix, [vocabulary, width]);
    const head = { matrix: weight, transposed: transposes ? transpose(weight) : null };
    const outputs = { losses: new Float32Array(0), weightGradient: new Float32Array(vocabulary * width) };
    const loss = (h: Tensor): Scalar =>
      headLoss({ products, chunkLogits: CHUNK_LOGITS, head, targets }, h as Tensor2D, outputs);
    const { value, grad } = valueAndGrad(loss)(tensor2d(hidden, [rows, width]));
    const expected = expectedGradients();
    expect(value.dataSync()[0]).toBeCloseTo(expected.loss, 5);
    expectClose(grad.dataSync<'float32'>(), expected.dHidden);
    expectClose(outputs.weightGradient, expected.dHead);
  });

  function expectClose(actual: Float32Array, expected: Float64Array): void {
    const largest = Math.max(...expected.map(Math.abs));
    expected.forEach((value, i) => expect(Math.abs(actual[i] - value)).toBeLessThan(2e-6 * largest));
  }

  /** p - onehot, spelled out in f64. */
  function expectedGradients(): { loss: number; dHidden: Float64Array; dHead: Float64Array } {
    let loss = 0;
    const dHidden = new Float64Array(rows * width);
    const dHead = new Float64Array(vocabulary * width);
    for (let row = 0; row < rows; row++) {
      const logits = Array.from({ length: vocabulary }, (_, v) =>
        [0, 1, 2].reduce((sum, c) => sum + hidden[row * width + c] * matrix[v * width + c], 0),
      );
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      loss += (Math.log(total) - logits[targets[row]]) / rows;
      logits.forEach((logit, v) => {
        const dLogit = (Math.exp(logit) / total - Number(v === targets[row])) / rows;
        for (let c = 0; c < width; c++) {
          dHidden[row * width + c] += dLogit * matrix[v * width + c];
          dHead[v * width + c] += dLogit * hidden[row * width + c];
        }
      });
    }
    return { loss, dHidden, dHead };
  }
});

it('rows of one index add up in order', () => {
  const target = new Float32Array(6);
  addRows(target, Int32Array.of(2, 0, 2), Float32Array.of(1, 2, 3, 4, 10, 20));
  expect(Array.from(target)).toEqual([3, 4, 0, 0, 11, 22]);
});
