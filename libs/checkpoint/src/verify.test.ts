import { readdir, readFile, rm, truncate, writeFile, appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Rng } from '@cria/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { CheckpointReader } from './checkpoint-reader.js';
import { newestVerified, pruneCheckpoints, requireVerified } from './retention.js';
import { beginSample, sampleLayout, sampleState, writeAll, writeSample } from './sample-checkpoint.js';
import { DirectoryStore } from './store/directory-store.js';
import { temporaryDirectory } from './temporary-directory.test-fixture.js';
import { verifyCheckpoint } from './verify.js';

let store: DirectoryStore;
let location: string;

beforeEach(async () => {
  location = await temporaryDirectory();
  store = new DirectoryStore(location);
});

const pathOf = (step: number, name: string): string =>
  join(location, `step-${String(step).padStart(8, '0')}`, name);

async function flipBit(path: string, rng: Rng): Promise<void> {
  const bytes = await readFile(path);
  const at = rng.below(bytes.length);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << rng.below(8));
  await writeFile(path, bytes);
}

async function damage(step: number, name = 'model.safetensors'): Promise<void> {
  await flipBit(pathOf(step, name), new Rng(step));
}

describe('verifying', () => {
  it('accepts a sound checkpoint and reports progress up to its size', async () => {
    const { manifest } = await writeSample(store, 3);
    const progress: Array<[number, number]> = [];
    const verification = await verifyCheckpoint(store, 3, { onProgress: (...bytes) => progress.push(bytes) });
    expect(verification).toEqual({ ok: true, manifest });
    const totalBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    expect(progress.at(-1)).toEqual([totalBytes, totalBytes]);
  });

  it('finds one flipped bit in any file and names the file', async () => {
    await writeSample(store, 3, { begin: { maxFileBytes: 200 } });
    const names = await readdir(join(location, 'step-00000003'));
    expect(names.length).toBeGreaterThan(10);
    const rng = new Rng(8);
    for (const name of names) {
      const whole = await readFile(pathOf(3, name));
      for (let round = 0; round < 5; round++) {
        await flipBit(pathOf(3, name), rng);
        expect(await verifyCheckpoint(store, 3)).toMatchObject({ ok: false, file: name });
        await writeFile(pathOf(3, name), whole);
      }
    }
    expect(await verifyCheckpoint(store, 3)).toMatchObject({ ok: true });
  });

  it('finds a file that is missing, cut short or grown', async () => {
    await writeSample(store, 3);
    const whole = await readFile(pathOf(3, 'optimizer.safetensors'));
    await truncate(pathOf(3, 'optimizer.safetensors'), whole.length - 1);
    expect(await verifyCheckpoint(store, 3)).toMatchObject({ file: 'optimizer.safetensors' });
    await writeFile(pathOf(3, 'optimizer.safetensors'), whole);
    await appendFile(pathOf(3, 'optimizer.safetensors'), 'x');
    expect(await verifyCheckpoint(store, 3)).toMatchObject({ file: 'optimizer.safetensors' });
    await rm(pathOf(3, 'optimizer.safetensors'));
    expect(await verifyCheckpoint(store, 3)).toEqual({
      ok: false,
      file: 'optimizer.safetensors',
      reason: 'optimizer.safetensors is missing',
    });
  });

  it('finds a manifest that belongs to another step', async () => {
    await writeSample(store, 3);
    await writeSample(store, 4);
    await writeFile(pathOf(4, 'manifest.json'), await readFile(pathOf(3, 'manifest.json')));
    expect(await verifyCheckpoint(store, 4)).toMatchObject({ ok: false, file: 'manifest.json' });
  });

  it('says that there is no checkpoint of a step', async () => {
    expect(await verifyCheckpoint(store, 9)).toMatchObject({ ok: false, file: 'manifest.json' });
  });

  it('stops when it is told to', async () => {
    await writeSample(store, 3);
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(verifyCheckpoint(store, 3, { signal })).rejects.toThrow('stop');
  });
});

describe('opening', () => {
  it('refuses a damaged checkpoint, naming the file', async () => {
    await writeSample(store, 3);
    await damage(3);
    await expect(CheckpointReader.open({ store, step: 3, layout: sampleLayout })).rejects.toMatchObject({
      code: 'CHECKPOINT_CORRUPT',
      context: { step: 3, file: 'model.safetensors' },
    });
  });

  it('refuses another layout, naming the tensor', async () => {
    await writeSample(store, 3);
    const [first, ...rest] = sampleLayout.tensors as [(typeof sampleLayout.tensors)[0]];
    const layout = { ...sampleLayout, tensors: [{ ...first, shape: [6, 10] }, ...rest] };
    await expect(CheckpointReader.open({ store, step: 3, layout })).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPATIBLE',
      message: 'tensor model.embed_tokens.weight is [10, 6], the configuration says [6, 10]',
    });
  });
});

describe('the newest checkpoint that verifies', () => {
  it('is the newest when it is sound', async () => {
    for (const step of [1, 2, 3]) await writeSample(store, step);
    expect(await newestVerified(store)).toMatchObject({ manifest: { step: 3 }, rejected: [] });
  });

  it('is an older one when newer ones are bad, and it is said which and why', async () => {
    for (const step of [1, 2, 3]) await writeSample(store, step);
    await damage(3);
    await damage(2, 'manifest.json');
    expect(await newestVerified(store)).toMatchObject({
      manifest: { step: 1 },
      rejected: [
        { step: 3, file: 'model.safetensors', reason: expect.stringContaining('has SHA-256') as string },
        { step: 2, file: 'manifest.json' },
      ],
    });
  });

  it('passes over what has no manifest', async () => {
    await writeSample(store, 1);
    await writeSample(store, 2);
    await rm(pathOf(2, 'manifest.json'));
    await writeAll(await beginSample(store, 3), 3);
    const { manifest, rejected } = await newestVerified(new DirectoryStore(location));
    expect(manifest?.step).toBe(1);
    expect(rejected).toEqual([]);
  });

  it('is required by name: none at all, or none that is sound', async () => {
    await expect(requireVerified(store)).rejects.toMatchObject({ code: 'CHECKPOINT_MISSING' });
    await writeSample(store, 1);
    await damage(1);
    await expect(requireVerified(store)).rejects.toMatchObject({
      code: 'CHECKPOINT_CORRUPT',
      message: expect.stringContaining('step 1: model.safetensors has SHA-256') as string,
    });
  });

  it('is replaced where it was damaged when the run comes by again', async () => {
    await writeSample(store, 3);
    await damage(3);
    expect(await writeSample(store, 3)).toMatchObject({ created: true });
    expect(await verifyCheckpoint(store, 3)).toMatchObject({ ok: true });
    expect(await readdir(location)).toEqual(['step-00000003', 'step-00000003.aside-1']);
    const reader = await CheckpointReader.open({ store, step: 3, layout: sampleLayout });
    expect(await reader.readFlat('params')).toEqual(sampleState('params', 3));
    await reader.close();
  });

  it('replaces a directory that has no manifest', async () => {
    await writeSample(store, 3);
    await rm(pathOf(3, 'manifest.json'));
    expect(await writeSample(store, 3)).toMatchObject({ created: true });
  });
});

describe('pruning', () => {
  const stepsLeft = async (): Promise<number[]> =>
    (await store.list()).filter((one) => one.complete).map((one) => one.step);

  beforeEach(async () => {
    for (const step of [1, 2, 3, 4]) await writeSample(store, step);
  });

  it('keeps the newest ones', async () => {
    expect(await pruneCheckpoints(store, { keep: 2 })).toEqual({
      kept: [4, 3],
      removed: ['step-00000002', 'step-00000001'],
    });
    expect(await stepsLeft()).toEqual([4, 3]);
  });

  it('never removes the newest that verifies', async () => {
    for (const step of [3, 4]) await damage(step);
    expect(await pruneCheckpoints(store, { keep: 2 })).toMatchObject({ kept: [4, 3, 2] });
    expect(await stepsLeft()).toEqual([4, 3, 2]);
  });

  it('removes nothing when nothing verifies', async () => {
    for (const step of [1, 2, 3, 4]) await damage(step);
    expect(await pruneCheckpoints(store, { keep: 1 })).toEqual({ kept: [4, 3, 2, 1], removed: [] });
    expect(await stepsLeft()).toEqual([4, 3, 2, 1]);
  });

  it('believes the caller about the step just written, and reads nothing again', async () => {
    await damage(4);
    expect(await pruneCheckpoints(store, { keep: 1, verifiedStep: 4 })).toMatchObject({ kept: [4] });
  });

  it('removes what interrupted writers left, except beyond the newest', async () => {
    await writeAll(await beginSample(new DirectoryStore(location), 2), 2);
    await writeAll(await beginSample(new DirectoryStore(location), 9), 9);
    const { removed } = await pruneCheckpoints(new DirectoryStore(location), { keep: 4 });
    expect(removed).toEqual(['step-00000002.writing-1-c1']);
    expect(await readdir(location)).toContain('step-00000009.writing-1-c1');
  });

  it('leaves alone what this process is writing', async () => {
    const writer = await beginSample(store, 2);
    await writeAll(writer, 2);
    expect(await pruneCheckpoints(store, { keep: 4 })).toMatchObject({ removed: [] });
    await writer.abort();
  });
});
