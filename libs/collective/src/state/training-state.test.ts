import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { PART_SIZE } from '@cria/kernels';
import {
  beginPartApply,
  createTrainingState,
  endPartApply,
  partPosition,
  readPartStable,
  setPosition,
  writePart,
} from './training-state.js';

describe('shared training state', () => {
  it('gives no copy of a part while a step is applied to it, and the next position after', () => {
    const state = createTrainingState(PART_SIZE + 256);
    setPosition(state, 4);
    beginPartApply(state, 1);
    state.params.fill(9, PART_SIZE);
    expect(readPartStable(state, 1)).toBe(null);
    expect(partPosition(state, 1)).toBe(null);
    expect(partPosition(state, 0)).toBe(4);
    endPartApply(state, 1);
    expect(readPartStable(state, 1)?.position).toBe(5);
  });

  it('writes to a part what was read from another process, moments included', () => {
    const donor = createTrainingState(PART_SIZE + 512);
    [donor.params, donor.expAvg, donor.expAvgSq].forEach((array, i) => array.set([i + 1, 2, 3], PART_SIZE));
    setPosition(donor, 7);
    const joiner = createTrainingState(PART_SIZE + 512);
    const read = readPartStable(donor, 1)!;
    const unaligned = new Uint8Array(read.bytes.length + 1);
    unaligned.set(read.bytes, 1);
    writePart(joiner, 1, { position: read.position, bytes: unaligned.subarray(1) });
    expect([joiner.params, joiner.expAvg, joiner.expAvgSq].map((array) => array[PART_SIZE])).toEqual([
      1, 2, 3,
    ]);
    expect([partPosition(joiner, 0), partPosition(joiner, 1)]).toEqual([0, 7]);
  });

  it('never gives a torn copy while another thread rewrites the part', async () => {
    const state = createTrainingState(PART_SIZE);
    const rewrite = `
      const { workerData: { arrays, version } } = require('node:worker_threads');
      for (let position = 0; position < 400; position++) {
        Atomics.add(version, 0, 1);
        for (const array of arrays) array.fill(position + 1);
        Atomics.add(version, 0, 1);
        const until = performance.now() + 0.3;
        while (performance.now() < until);
      }`;
    const arrays = [state.params, state.expAvg, state.expAvgSq];
    const worker = new Worker(rewrite, { eval: true, workerData: { arrays, version: state.partVersion } });
    const ended = new Promise((resolve) => worker.on('exit', resolve));
    let copies = 0;
    while (Atomics.load(state.partVersion, 0) < 800) {
      const read = readPartStable(state, 0);
      if (read === null) continue;
      copies++;
      const values = new Float32Array(read.bytes.buffer);
      expect(values.every((value) => value === read.position)).toBe(true);
    }
    await ended;
    expect(copies).toBeGreaterThan(0);
  });
});
