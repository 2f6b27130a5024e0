import { mul, setBackend, tensor2d } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, it } from 'vitest';
import { pageAligned } from './host-copy.js';
import { readTensor } from './read-tensor.js';

beforeAll(async () => {
  await setBackend('cpu');
});

it('a tensor longer than a piece is read whole and in its order, and nothing behind it is touched', () => {
  const [rows, columns] = [3, 2 ** 18 + 1];
  const values = Float32Array.from({ length: rows * columns }, (_, i) => i);
  const target = new Float32Array(values.length + 1).fill(-1);
  readTensor(target, tensor2d(values, [rows, columns]), (piece) => mul(piece, 2));
  expect(target.at(-1)).toBe(-1);
  expect(target.subarray(0, -1).every((value, i) => value === 2 * i)).toBe(true);
});

it('memory for the device is zero and as long as it was asked for', () => {
  const memory = pageAligned(1000);
  expect(memory).toHaveLength(1000);
  expect(memory.every((value) => value === 0)).toBe(true);
});
