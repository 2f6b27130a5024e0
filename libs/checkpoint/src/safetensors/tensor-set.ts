// The tensors of one or several safetensors files, read by range as f32.
import { CriaError } from '@cria/runtime';
import type { ReadableFile } from '../store/checkpoint-store.js';
import { DTYPE_BYTES, floatDtype, widenToFloat32 } from './dtype.js';
import { headerLength, parseHeader, type TensorEntry } from './header.js';

/** Elements converted at a time when a tensor is not f32. */
const CONVERT_ELEMENTS = 1 << 20;

interface Located {
  readonly file: ReadableFile;
  readonly entry: TensorEntry;
}

export class TensorSet {
  readonly #files: readonly ReadableFile[];
  readonly #tensors: ReadonlyMap<string, Located>;

  private constructor(files: readonly ReadableFile[], tensors: ReadonlyMap<string, Located>) {
    this.#files = files;
    this.#tensors = tensors;
  }

  /**
   * Reads the headers. Owns the files from now on, also when it fails.
   *
   * @throws CriaError CHECKPOINT_CORRUPT naming file and tensor
   */
  static async open(files: readonly ReadableFile[]): Promise<TensorSet> {
    try {
      const tensors = new Map<string, Located>();
      for (const file of files) {
        for (const entry of await readEntries(file)) {
          const other = tensors.get(entry.name);
          if (other !== undefined) {
            throw new CriaError(
              'CHECKPOINT_CORRUPT',
              `tensor ${entry.name} is in ${other.file.name} and in ${file.name}`,
            );
          }
          tensors.set(entry.name, { file, entry });
        }
      }
      return new TensorSet(files, tensors);
    } catch (error) {
      await closeAll(files);
      throw error;
    }
  }

  get names(): string[] {
    return [...this.#tensors.keys()];
  }

  /** Shape and type, or null when there is no such tensor. */
  find(name: string): TensorEntry | null {
    return this.#tensors.get(name)?.entry ?? null;
  }

  /** Reads elements [from, from + out.length) of a tensor; F32 as it is, BF16 and F16 widened (exactly). */
  async read(name: string, from: number, out: Float32Array): Promise<void> {
    const located = this.#tensors.get(name);
    if (located === undefined) throw new CriaError('CHECKPOINT_INCOMPATIBLE', `tensor ${name} is missing`);
    const { file, entry } = located;
    const dtype = floatDtype(entry.dtype, `tensor ${name} in ${file.name}`);
    const position = entry.begin + DTYPE_BYTES[dtype] * from;
    if (dtype === 'F32') {
      await file.read(new Uint8Array(out.buffer, out.byteOffset, out.byteLength), position);
      return;
    }
    const buffer = new Uint8Array(2 * Math.min(out.length, CONVERT_ELEMENTS));
    for (let done = 0; done < out.length; done += CONVERT_ELEMENTS) {
      const piece = out.subarray(done, done + CONVERT_ELEMENTS);
      const bytes = buffer.subarray(0, 2 * piece.length);
      await file.read(bytes, position + 2 * done);
      widenToFloat32(piece, bytes, dtype);
    }
  }

  async close(): Promise<void> {
    await closeAll(this.#files);
  }
}

async function readEntries(file: ReadableFile): Promise<readonly TensorEntry[]> {
  const prefix = new Uint8Array(8);
  if (file.sizeBytes >= prefix.length) await file.read(prefix, 0);
  const json = new Uint8Array(headerLength(prefix, file.sizeBytes, file.name));
  await file.read(json, prefix.length);
  return parseHeader(json, file.sizeBytes, file.name).tensors;
}

async function closeAll(files: readonly ReadableFile[]): Promise<void> {
  await Promise.allSettled(files.map((file) => file.close()));
}
