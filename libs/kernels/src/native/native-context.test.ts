import { expect, it } from 'vitest';
import { BF16, F32 } from './native-context.js';
import { describeNative } from './native-suite.js';

describeNative('the memory of a native context', (addon) => {
  const context = new addon.NativeContext('portable', 1);

  it('is reached by address, by typed array and by typed array over shared memory', () => {
    const shared = new Float32Array(new SharedArrayBuffer(16)).fill(2);
    const attached = context.attach(shared);
    const own = context.allocate(64)!;
    context.write(own + 16, Float32Array.of(1, 2, 3, 4));
    context.swigluForward(attached, own + 16, Float32Array.of(1, 1, 1, 1), 4, F32);
    expect(shared[3]).toBeCloseTo(4 / (1 + Math.exp(-4)), 5);
    context.release(attached);
    expect(() => context.swigluForward(attached, own, own, 4, F32)).toThrow('outside every segment');
  });

  it('is checked: what is too small or misaligned is named', () => {
    const own = context.allocate(64)!;
    const x = new Float32Array(8);
    expect(() => context.f32ToBf16(own, x, 9)).toThrow('f32ToBf16: argument 1 needs 36 bytes, there are 32');
    expect(() => context.f32ToBf16(own + 50, x, 8)).toThrow(
      'f32ToBf16: argument 0 needs 16 bytes, there are 14',
    );
    expect(() => context.f32ToBf16(own + 1, x, 8)).toThrow('argument 0 is not aligned to 2 bytes');
    expect(() => context.f32ToBf16(0, x, 8)).toThrow('argument 0 is an address outside every segment');
    expect(() => context.f32ToBf16(own, x, -1)).toThrow('argument 2 is not a whole number');
    expect(() => context.linearForward(own, x, x, null, 2 ** 30, 2 ** 30, 4, F32, BF16)).toThrow('needs');
  });

  it('refuses a token outside the vocabulary', () => {
    const table = new Float32Array(6);
    const attempt = (): void =>
      context.embeddingForward(new Float32Array(2), Int32Array.of(3), table, 1, 2, 3, F32);
    expect(attempt).toThrow(expect.objectContaining({ code: 'BAD_TOKEN' }));
  });

  it('is gone after dispose', () => {
    const gone = new addon.NativeContext('portable', 2);
    gone.dispose();
    expect(() => gone.allocate(8)).toThrow('the context was disposed of');
  });

  it('has a copy for every thread that loads it', async () => {
    const { Worker } = await import('node:worker_threads');
    const code = `
      const { workerData, parentPort } = require('node:worker_threads');
      const addon = require(workerData.file);
      const context = new addon.NativeContext('portable', 2);
      const out = new Uint16Array(workerData.shared);
      context.f32ToBf16(out, Float32Array.of(1, -2), 2);
      parentPort.postMessage('done');`;
    const shared = new SharedArrayBuffer(4);
    const file = new URL('../../build/Release/cria_kernels.node', import.meta.url).pathname;
    const worker = new Worker(code, { eval: true, workerData: { file, shared } });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
    expect([...new Uint16Array(shared)]).toEqual([0x3f80, 0xc000]);
  });

  it('goes with its thread, also in the middle of a call', async () => {
    const { Worker } = await import('node:worker_threads');
    const code = `
      const { workerData, parentPort } = require('node:worker_threads');
      const addon = require(workerData.file);
      const context = new addon.NativeContext('portable', 2);
      const bytes = new Uint8Array(1000);
      parentPort.postMessage('begun');
      for (;;) context.crc32c(bytes, 0);`;
    const file = new URL('../../build/Release/cria_kernels.node', import.meta.url).pathname;
    for (let i = 0; i < 50; i++) {
      const worker = new Worker(code, { eval: true, workerData: { file } });
      await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      await worker.terminate();
    }
  });
});
