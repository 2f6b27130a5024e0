import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CheckpointReader } from './checkpoint-reader.js';
import { exportHuggingFace } from './export-hugging-face.js';
import { HuggingFaceModel } from './hugging-face-model.js';
import { sampleLayout, sampleState, writeSample } from './sample-checkpoint.js';
import { DirectoryStore } from './store/directory-store.js';
import { temporaryDirectory } from './temporary-directory.test-fixture.js';

async function setUp(): Promise<{ reader: CheckpointReader; location: string }> {
  const location = await temporaryDirectory();
  const store = new DirectoryStore(join(location, 'checkpoints'));
  await writeSample(store, 4);
  return { reader: await CheckpointReader.open({ store, step: 4, layout: sampleLayout }), location };
}

async function weightsIn(directory: string): Promise<Float32Array> {
  const model = await HuggingFaceModel.open(directory, sampleLayout);
  const flat = new Float32Array(sampleLayout.paddedSize);
  await model.readPart(0, flat);
  await model.close();
  return flat;
}

describe('an export', () => {
  it('holds the model and nothing of the training', async () => {
    const { reader, location } = await setUp();
    const outDir = join(location, 'out');
    await exportHuggingFace({ reader, outDir, dtype: 'F32' });
    await reader.close();
    expect(await readdir(location)).toEqual(['checkpoints', 'out']);
    expect(await readdir(outDir)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(JSON.parse(await readFile(join(outDir, 'config.json'), 'utf8'))).toEqual({
      model_type: 'llama',
      torch_dtype: 'float32',
    });
    expect(await weightsIn(outDir)).toEqual(sampleState('params', 4));
  });

  it('rounds to BF16, in one file or several', async () => {
    const { reader, location } = await setUp();
    for (const maxFileBytes of [100, 5e9]) {
      const outDir = join(location, `out-${maxFileBytes}`);
      await exportHuggingFace({ reader, outDir, dtype: 'BF16', maxFileBytes });
      const found = await weightsIn(outDir);
      sampleState('params', 4).forEach((value, i) => {
        expect(Math.abs((found[i] ?? NaN) - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8);
      });
      expect(found).not.toEqual(sampleState('params', 4));
    }
    await reader.close();
  });

  it('does not touch a directory that is in use', async () => {
    const { reader, location } = await setUp();
    const outDir = join(location, 'checkpoints');
    await expect(exportHuggingFace({ reader, outDir, dtype: 'F32' })).rejects.toMatchObject({
      code: 'USAGE',
    });
    await reader.close();
    expect(await readdir(location)).toEqual(['checkpoints']);
    expect(await readdir(outDir)).toEqual(['step-00000004']);
  });
});
