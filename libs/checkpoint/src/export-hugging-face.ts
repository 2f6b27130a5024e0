// A checkpoint without what only training needs: config, tokenizer and weights, in f32 or rounded to
// BF16. Written under another name and renamed, so that a half-written export is never loaded.
import { basename, dirname, resolve } from 'node:path';
import { mkdir, rename } from 'node:fs/promises';
import { CriaError, systemCode } from '@cria/runtime';
import { LEDGER_FILE, TRAINER_STATE_FILE } from './checkpoint-name.js';
import type { CheckpointReader } from './checkpoint-reader.js';
import { DEFAULT_MAX_FILE_BYTES } from './checkpoint-writer.js';
import { elementsOf } from './flat-layout.js';
import { DTYPE_BYTES, narrowToBfloat16 } from './safetensors/dtype.js';
import type { TensorEntry } from './safetensors/header.js';
import type { WritableFile } from './store/checkpoint-store.js';
import { nodeFileSystem } from './store/file-system.js';
import { StagedDirectory, syncDirectory } from './store/staged-directory.js';
import { storageFailure } from './store/storage-failure.js';
import { modelFiles, type StoredDtype } from './tensor-files.js';

const COPY_ELEMENTS = 1 << 20;
const TORCH_NAMES = { F32: 'float32', BF16: 'bfloat16' } as const;

export interface ExportOptions {
  readonly reader: CheckpointReader;
  /** Must not exist, or be empty. */
  readonly outDir: string;
  readonly dtype: StoredDtype;
  readonly maxFileBytes?: number;
}

/** @throws CriaError USAGE when outDir is not empty, STORAGE_FAILED; nothing is left behind then */
export async function exportHuggingFace({
  reader,
  outDir,
  dtype,
  maxFileBytes,
}: ExportOptions): Promise<void> {
  const target = resolve(outDir);
  const directory = resolve(dirname(target), `.${basename(target)}.writing`);
  const staged = await stage(directory, target);
  try {
    const { files, index } = modelFiles(reader.layout, maxFileBytes ?? DEFAULT_MAX_FILE_BYTES, dtype);
    for (const { name, head, header } of files) {
      const file = await staged.create(name, header.fileBytes);
      await file.write(head, 0);
      for (const tensor of header.tensors) await copyTensor(reader, tensor, file);
    }
    const small = [...(await smallFiles(reader, dtype)), ...(index === null ? [] : [index])];
    for (const { name, bytes } of small) {
      await (await staged.create(name, bytes.length)).write(bytes, 0);
    }
    await staged.seal();
    await giveName(directory, target);
  } finally {
    await staged.discard();
  }
}

async function stage(directory: string, target: string): Promise<StagedDirectory> {
  try {
    await nodeFileSystem.rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw storageFailure(`cannot make ${directory}`, error);
  }
  return new StagedDirectory({ fileSystem: nodeFileSystem, directory, target, onEnd: () => undefined });
}

async function copyTensor(reader: CheckpointReader, tensor: TensorEntry, file: WritableFile): Promise<void> {
  const from = reader.layout.tensors.find((one) => one.name === tensor.name)?.offset ?? 0;
  const size = elementsOf(tensor.shape);
  for (let done = 0; done < size; done += COPY_ELEMENTS) {
    const values = new Float32Array(Math.min(COPY_ELEMENTS, size - done));
    await reader.readPart('params', from + done, values);
    const position = tensor.begin + DTYPE_BYTES[tensor.dtype] * done;
    await file.write(
      tensor.dtype === 'BF16' ? bfloat16Bytes(values) : new Uint8Array(values.buffer),
      position,
    );
  }
}

function bfloat16Bytes(values: Float32Array): Uint8Array {
  const halves = new Uint16Array(values.length);
  narrowToBfloat16(halves, values);
  return new Uint8Array(halves.buffer);
}

/** Everything but tensors and training files; config.json names the new type. */
async function smallFiles(
  reader: CheckpointReader,
  dtype: StoredDtype,
): Promise<Array<{ name: string; bytes: Uint8Array }>> {
  const names = reader.manifest.files
    .map((file) => file.name)
    .filter((name) => ![LEDGER_FILE, TRAINER_STATE_FILE].includes(name) && !name.includes('.safetensors'));
  return Promise.all(
    names.map(async (name) => {
      const bytes = await reader.readFile(name);
      return { name, bytes: name === 'config.json' ? withTorchDtype(bytes, dtype) : bytes };
    }),
  );
}

function withTorchDtype(config: Uint8Array, dtype: StoredDtype): Uint8Array {
  const fields = JSON.parse(Buffer.from(config).toString('utf8')) as Record<string, unknown>;
  return Buffer.from(`${JSON.stringify({ ...fields, torch_dtype: TORCH_NAMES[dtype] }, null, 2)}\n`, 'utf8');
}

async function giveName(directory: string, target: string): Promise<void> {
  try {
    await rename(directory, target);
    await syncDirectory(nodeFileSystem, dirname(target));
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(error) ?? '')) {
      throw new CriaError('USAGE', `${target} is there already and not empty; name another directory`, {
        context: { path: target },
      });
    }
    throw storageFailure(`cannot write ${target}`, error);
  }
}
