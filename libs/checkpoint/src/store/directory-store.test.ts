import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../temporary-directory.test-fixture.js';
import { DirectoryStore } from './directory-store.js';
import { nodeFileSystem } from './file-system.js';
import { StagedDirectory } from './staged-directory.js';
import { checkpointStoreConformance } from './store-conformance.js';

const emptyStore = async (): Promise<DirectoryStore> =>
  new DirectoryStore(join(await temporaryDirectory(), 'checkpoints'));

describe('a directory store', () => {
  for (const { claim, check } of checkpointStoreConformance) {
    it(claim, async () => check(await emptyStore()));
  }

  it('leaves other files of the directory alone and does not list them', async () => {
    const store = await emptyStore();
    await mkdir(store.location);
    await writeFile(join(store.location, 'step-00000001'), 'a file');
    await mkdir(join(store.location, 'notes'));
    expect((await store.list()).map((one) => [one.name, one.complete])).toEqual([['step-00000001', false]]);
  });

  it('tells a directory without a manifest apart', async () => {
    const store = await emptyStore();
    await mkdir(join(store.location, 'step-00000050'), { recursive: true });
    await writeFile(join(store.location, 'step-00000050', 'model.safetensors'), 'x');
    expect(await store.list()).toEqual([{ step: 50, name: 'step-00000050', complete: false }]);
  });

  it('removes what a dead writer of the same step left behind, and lists what is left of other steps', async () => {
    const store = await emptyStore();
    await (await store.stage(50, 'dead')).create('model.safetensors', 10);
    await (await store.stage(60, 'dead')).create('model.safetensors', 10);
    const successor = new DirectoryStore(store.location);
    await successor.stage(50, 'c2');
    expect(await readdir(store.location)).toEqual(['step-00000050.writing-c2', 'step-00000060.writing-dead']);
    expect(await successor.list()).toEqual([
      { step: 60, name: 'step-00000060.writing-dead', complete: false },
    ]);
  });

  it('lets a writer that was given up for dead change nothing', async () => {
    const store = await emptyStore();
    const zombie = await store.stage(50, 'zombie');
    const file = await zombie.create('model.safetensors', 3);
    const staged = await new DirectoryStore(store.location).stage(50, 'c2');
    await (await staged.create('model.safetensors', 3)).write(Buffer.from('new'), 0);
    await staged.seal();
    expect(await staged.publish(Buffer.from('manifest'))).toBe('published');
    await file.write(Buffer.from('old'), 0);
    await zombie.seal();
    await expect(zombie.publish(Buffer.from('other'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await zombie.discard();
    expect(await readFile(join(store.location, 'step-00000050', 'model.safetensors'), 'utf8')).toBe('new');
    expect(await readdir(store.location)).toEqual(['step-00000050']);
  });

  it('lets exactly one of several sealed writers have the name', async () => {
    const location = await temporaryDirectory();
    for (let round = 0; round < 20; round++) {
      const target = join(location, `target-${round}`);
      const writers = await Promise.all(
        ['a', 'b', 'c'].map(async (owner) => {
          const directory = join(location, `writing-${round}-${owner}`);
          await mkdir(directory);
          const staged = new StagedDirectory({
            fileSystem: nodeFileSystem,
            directory,
            target,
            onEnd: () => undefined,
          });
          await (await staged.create('data', 1)).write(Buffer.from(owner), 0);
          await staged.seal();
          return { owner, staged };
        }),
      );
      const results = await Promise.all(
        writers.map(async ({ owner, staged }) => [owner, await staged.publish(Buffer.from(owner))] as const),
      );
      const winners = results.filter(([, result]) => result === 'published').map(([owner]) => owner);
      expect(winners).toHaveLength(1);
      expect(await readFile(join(target, 'data'), 'utf8')).toBe(winners[0]);
      expect(await readFile(join(target, 'manifest.json'), 'utf8')).toBe(winners[0]);
    }
  });

  it('is claimed again on a full disk, and leaves nothing half written where it cannot be claimed', async () => {
    const location = join(await temporaryDirectory(), 'checkpoints');
    const full = new DirectoryStore(location, {
      ...nodeFileSystem,
      writeFile: async (file) => {
        await writeFile(file, '{"ver');
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      },
    });
    await expect(full.claim('ours')).rejects.toThrow(/cannot claim .*ENOSPC; the disk is full: free space/);
    expect(await readdir(location)).toEqual([]);
    await new DirectoryStore(location).claim('ours');
    await full.claim('ours');
    await expect(full.claim('theirs')).rejects.toMatchObject({ code: 'RUN_MISMATCH' });
    expect(await readdir(location)).toEqual(['cria-store.json']);
  });

  it('refuses a damaged owner file', async () => {
    const store = await emptyStore();
    await mkdir(store.location);
    await writeFile(join(store.location, 'cria-store.json'), '{');
    await expect(store.owner()).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
  });

  it('names the remedy when the directory cannot be made', async () => {
    const location = await temporaryDirectory();
    await writeFile(join(location, 'file'), '');
    const store = new DirectoryStore(join(location, 'file', 'checkpoints'));
    await expect(store.stage(1, 'c1')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

describe('the path of a checkpoint', () => {
  it('gives store and step', () => {
    const { store, step } = DirectoryStore.locate('runs/quickstart/checkpoints/step-00000200/');
    expect(step).toBe(200);
    expect(store.location).toMatch(/runs\/quickstart\/checkpoints$/);
  });

  it('is refused when it is something else', () => {
    for (const path of ['runs/quickstart', 'step-200', 'step-00000200.writing-c1']) {
      expect(() => DirectoryStore.locate(path)).toThrow(/is not a checkpoint/);
    }
  });
});
