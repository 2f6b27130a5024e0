import { square, tensor1d } from '@tensorflow/tfjs-core';
import { expect, it, vi } from 'vitest';
import { loadBackend } from './load-backend.js';

const CPU = { device: 'cpu', threads: 1 } as const;

// First in this file, because a backend initialises once in a process.
it('loading a backend prints nothing and leaves the process its own handlers', async () => {
  const written = [
    vi.spyOn(process.stdout, 'write'),
    vi.spyOn(process.stderr, 'write'),
    vi.spyOn(console, 'warn'),
  ];
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = events.map((event) => process.listenerCount(event));
  await loadBackend({ ...CPU, backend: 'wasm' });
  await loadBackend({ ...CPU, backend: 'cpu' });
  square(tensor1d([2])).dataSync(); // the banner comes with the first operation
  for (const stream of written) expect(stream).not.toHaveBeenCalled();
  expect(events.map((event) => process.listenerCount(event))).toEqual(before);
});

it('a backend says what decides its bits', async () => {
  const { libraries, description, generalMatMul } = await loadBackend({ ...CPU, backend: 'wasm' });
  expect(libraries).toEqual({ backend: 'wasm-simd', 'tfjs-core': '4.22.0', 'tfjs-backend-wasm': '4.22.0' });
  expect(description).toBe('wasm (SIMD)');
  expect(generalMatMul).toBe(false);
});
