import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { FakeClock, silentLog } from '@cria/runtime';
import { GpuWatch, parseGpuUse } from './gpu-watch.js';

const folder = mkdtempSync(join(tmpdir(), 'cria-gpu-'));
const watches: GpuWatch[] = [];

afterEach(() => watches.splice(0).forEach((watch) => watch.stop()));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that answers as nvidia-smi does, for the GPU that it is asked about. */
function watch(device: string): GpuWatch {
  const command = join(folder, 'nvidia-smi');
  writeFileSync(command, '#!/bin/sh\nfor last; do :; done\necho "$last"7, 61000\n');
  chmodSync(command, 0o755);
  const made = new GpuWatch({ device, command, clock: new FakeClock(), log: silentLog });
  watches.push(made);
  made.start();
  return made;
}

it('tells how busy the GPU of this worker is', async () => {
  const gpu = watch('cuda:3');
  expect(gpu.use).toBeUndefined();
  await vi.waitUntil(() => gpu.use !== undefined, { timeout: 30_000 });
  expect(gpu.use).toEqual({ percent: 37, memoryBytes: 61_000 * 2 ** 20 });
});

it('asks nothing on a CPU', () => {
  const clock = new FakeClock();
  const gpu = new GpuWatch({ device: 'cpu', command: '/not/there', clock, log: silentLog });
  gpu.start();
  expect(gpu.use).toBeUndefined();
});

it.each(['[N/A], 12', '', 'No devices were found'])('takes "%s" for no answer', (line) => {
  expect(parseGpuUse(line)).toBeUndefined();
});
