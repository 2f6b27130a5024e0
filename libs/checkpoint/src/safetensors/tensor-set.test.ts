import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFileSystem } from '../store/file-system.js';
import { StagedDirectory } from '../store/staged-directory.js';
import { temporaryDirectory } from '../temporary-directory.test-fixture.js';
import { encodeHeader, type TensorSpec } from './header.js';
import { TensorSet } from './tensor-set.js';

async function stage(): Promise<StagedDirectory> {
  const directory = join(await temporaryDirectory(), 'writing');
  await mkdir(directory);
  const target = `${directory}-done`;
  return new StagedDirectory({ fileSystem: nodeFileSystem, directory, target, onEnd: () => undefined });
}

async function fileWith(staged: StagedDirectory, name: string, specs: TensorSpec[]): Promise<void> {
  const { bytes, header } = encodeHeader(specs);
  await (await staged.create(name, header.fileBytes)).write(bytes, 0);
}

describe('a tensor set', () => {
  it('reads and writes beyond 4 GiB', async () => {
    const staged = await stage();
    const elements = 3 * 2 ** 29; // 6 GiB, of which the file system stores only what is written
    const { bytes, header } = encodeHeader([
      { name: 'a', dtype: 'F32', shape: [2, elements / 2] },
      { name: 'b', dtype: 'F32', shape: [3] },
    ]);
    const file = await staged.create('model.safetensors', header.fileBytes);
    await file.write(bytes, 0);
    const [a, b] = header.tensors.map((tensor) => tensor.begin) as [number, number];
    expect(b).toBe(bytes.length + 4 * elements);
    await file.write(new Uint8Array(Float32Array.of(1.5, -2).buffer), a + 4 * (elements - 2));
    await file.write(new Uint8Array(Float32Array.of(3, 4, 5).buffer), b);
    await staged.seal();
    const set = await TensorSet.open([await staged.open('model.safetensors')]);
    const out = new Float32Array(3);
    await set.read('a', elements - 3, out);
    expect([...out]).toEqual([0, 1.5, -2]);
    await set.read('b', 0, out);
    expect([...out]).toEqual([3, 4, 5]);
    await set.close();
    await staged.discard();
  });

  it('refuses a tensor that stands in two files', async () => {
    const staged = await stage();
    for (const name of ['one', 'two'])
      await fileWith(staged, name, [{ name: 'w', dtype: 'F32', shape: [1] }]);
    await staged.seal();
    const files = await Promise.all([staged.open('one'), staged.open('two')]);
    await expect(TensorSet.open(files)).rejects.toThrow(/tensor w is in .*one and in .*two/);
  });

  it('says which tensor it does not have', async () => {
    const staged = await stage();
    await fileWith(staged, 'one', [{ name: 'w', dtype: 'F32', shape: [1] }]);
    await staged.seal();
    const set = await TensorSet.open([await staged.open('one')]);
    expect(set.names).toEqual(['w']);
    expect(set.find('v')).toBeNull();
    await expect(set.read('v', 0, new Float32Array(1))).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPATIBLE',
    });
    await set.close();
  });
});
