// Weights of any Hugging Face Llama directory (one file or several, F32, BF16 or F16): what `init` and
// `cria import` start from. It has no manifest; its fingerprint goes into the genesis instead.
import { open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CriaError, systemCode } from '@cria/runtime';
import { checkFits, readFlatRange } from './flat-tensors.js';
import type { FlatLayout } from './flat-layout.js';
import { TensorSet } from './safetensors/tensor-set.js';
import { hashCheckpoint } from './state-hash.js';
import type { ReadableFile } from './store/checkpoint-store.js';
import { readableFile } from './store/file-access.js';
import { storageFailure } from './store/storage-failure.js';

export class HuggingFaceModel {
  readonly #tensors: TensorSet;
  readonly #layout: FlatLayout;

  private constructor(tensors: TensorSet, layout: FlatLayout) {
    this.#tensors = tensors;
    this.#layout = layout;
  }

  /**
   * @param directory holds model*.safetensors
   * @throws CriaError CHECKPOINT_MISSING, CHECKPOINT_CORRUPT, or CHECKPOINT_INCOMPATIBLE naming the tensor
   */
  static async open(directory: string, layout: FlatLayout): Promise<HuggingFaceModel> {
    const names = await weightFiles(directory);
    const tensors = await TensorSet.open(await Promise.all(names.map((name) => openFile(directory, name))));
    try {
      checkFits(tensors, layout, ['params']);
    } catch (error) {
      await tensors.close();
      throw error;
    }
    return new HuggingFaceModel(tensors, layout);
  }

  /** Elements [from, from + out.length) of the flat parameters, as f32. */
  async readPart(from: number, out: Float32Array): Promise<void> {
    await readFlatRange({ tensors: this.#tensors, layout: this.#layout, kind: 'params' }, from, out);
  }

  async close(): Promise<void> {
    await this.#tensors.close();
  }
}

/** SHA-256 over the bytes of model*.safetensors in name order: equal to `modelSha256` of a checkpoint. */
export async function modelFingerprint(directory: string): Promise<string> {
  const names = await weightFiles(directory);
  const hashes = await hashCheckpoint(names, (name) => openFile(directory, name));
  return hashes.modelSha256;
}

async function weightFiles(directory: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw missing(directory, 'is not there', error);
    throw storageFailure(`cannot list ${directory}`, error);
  }
  const found = names.filter((name) => /^model.*\.safetensors$/.test(name)).sort();
  if (found.length === 0) throw missing(directory, 'holds no model*.safetensors');
  return found;
}

async function openFile(directory: string, name: string): Promise<ReadableFile> {
  const path = join(directory, basename(name));
  try {
    const handle = await open(path, 'r');
    return readableFile(handle, path, (await handle.stat()).size);
  } catch (error) {
    throw storageFailure(`cannot open ${path}`, error);
  }
}

function missing(directory: string, what: string, cause?: unknown): CriaError {
  return new CriaError('CHECKPOINT_MISSING', `${directory} ${what}; name a Hugging Face model directory`, {
    context: { path: directory },
    cause,
  });
}
