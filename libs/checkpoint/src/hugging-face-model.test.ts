import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HuggingFaceModel, modelFingerprint } from './hugging-face-model.js';
import { encodeHeader } from './safetensors/header.js';
import { sampleLayout, sampleState, writeSample } from './sample-checkpoint.js';
import { DirectoryStore } from './store/directory-store.js';
import { temporaryDirectory } from './temporary-directory.test-fixture.js';

const layout = { tensors: [{ name: 'w', shape: [2, 2], offset: 1, size: 4 }], paddedSize: 6 };

async function modelDirectory(dtype: 'F32' | 'BF16' | 'I32', data: Uint8Array): Promise<string> {
  const directory = await temporaryDirectory();
  const { bytes } = encodeHeader([{ name: 'w', dtype, shape: [2, 2] }], { format: 'pt' });
  await writeFile(join(directory, 'model.safetensors'), Buffer.concat([bytes, data]));
  return directory;
}

describe('a Hugging Face model directory', () => {
  it('is read from BF16 as f32, around the padding', async () => {
    const halves = Buffer.from(Uint16Array.from([0x3f80, 0x4000, 0xc040, 0x0000]).buffer);
    const model = await HuggingFaceModel.open(await modelDirectory('BF16', halves), layout);
    const flat = new Float32Array(6).fill(9);
    await model.readPart(0, flat);
    expect([...flat]).toEqual([0, 1, 2, -3, 0, 0]);
    await model.close();
  });

  it('may be a checkpoint, in one file or several, with the fingerprint of its manifest', async () => {
    for (const maxFileBytes of [200, 5e9]) {
      const store = new DirectoryStore(await temporaryDirectory());
      const { manifest } = await writeSample(store, 4, { begin: { maxFileBytes } });
      const directory = join(store.location, 'step-00000004');
      expect(await modelFingerprint(directory)).toBe(manifest.modelSha256);
      const model = await HuggingFaceModel.open(directory, sampleLayout);
      const flat = new Float32Array(sampleLayout.paddedSize);
      await model.readPart(0, flat);
      expect(flat).toEqual(sampleState('params', 4));
      await model.close();
    }
  });

  it('is refused when it is empty, not there, of another shape or of integers', async () => {
    const empty = await temporaryDirectory();
    await mkdir(join(empty, 'sub'));
    await expect(HuggingFaceModel.open(empty, layout)).rejects.toMatchObject({ code: 'CHECKPOINT_MISSING' });
    await expect(HuggingFaceModel.open(join(empty, 'x'), layout)).rejects.toThrow(/is not there/);
    const floats = await modelDirectory('F32', new Uint8Array(16));
    await expect(HuggingFaceModel.open(floats, sampleLayout)).rejects.toThrow(
      /embed_tokens.weight is missing/,
    );
    const integers = await HuggingFaceModel.open(await modelDirectory('I32', new Uint8Array(16)), layout);
    await expect(integers.readPart(0, new Float32Array(6))).rejects.toMatchObject({
      code: 'CHECKPOINT_INCOMPATIBLE',
    });
    await integers.close();
  });

  it('is refused when the file is cut short', async () => {
    const directory = await modelDirectory('F32', new Uint8Array(15));
    await expect(HuggingFaceModel.open(directory, layout)).rejects.toMatchObject({
      code: 'CHECKPOINT_CORRUPT',
    });
  });
});
