// Whether a checkpoint is what its manifest says: every file there, of the right size and hash.
import { CriaError } from '@cria/runtime';
import { MANIFEST_FILE } from './checkpoint-name.js';
import { parseManifest, type Manifest } from './manifest.js';
import { hashCheckpoint, type HashOptions } from './state-hash.js';
import type { CheckpointStore, ReadableFile } from './store/checkpoint-store.js';

export type Verification =
  | { readonly ok: true; readonly manifest: Manifest }
  | {
      readonly ok: false;
      /** The file that is bad. */
      readonly file: string;
      readonly reason: string;
    };

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Reads the whole checkpoint once. Fails only with STORAGE_FAILED or the signal's reason. */
export async function verifyCheckpoint(
  store: CheckpointStore,
  step: number,
  { signal, onProgress }: VerifyOptions = {},
): Promise<Verification> {
  try {
    const manifest = await readManifest(store, step);
    const totalBytes = manifest.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    await checkFiles(store, manifest, { signal, onProgress: (done) => onProgress?.(done, totalBytes) });
    return { ok: true, manifest };
  } catch (error) {
    if (!CriaError.is(error) || !error.code.startsWith('CHECKPOINT_')) throw error;
    return { ok: false, file: String(error.context['file'] ?? MANIFEST_FILE), reason: error.message };
  }
}

/** @throws CriaError CHECKPOINT_MISSING when there is no manifest, CHECKPOINT_CORRUPT when it was changed */
export async function readManifest(store: CheckpointStore, step: number): Promise<Manifest> {
  const bytes = await readWhole(await store.open(step, MANIFEST_FILE));
  const manifest = parseManifest(bytes, MANIFEST_FILE);
  if (manifest.step !== step) throw corrupt(MANIFEST_FILE, `is of step ${manifest.step}, not ${step}`);
  return manifest;
}

/** All bytes of a small file; closes it. */
export async function readWhole(file: ReadableFile): Promise<Uint8Array> {
  try {
    const bytes = new Uint8Array(file.sizeBytes);
    await file.read(bytes, 0);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Missing files and wrong sizes first: they cost no reading. */
async function checkFiles(store: CheckpointStore, manifest: Manifest, options: HashOptions): Promise<void> {
  for (const { name, sizeBytes } of manifest.files) {
    const file = await openListed(store, manifest.step, name);
    await file.close();
    if (file.sizeBytes !== sizeBytes) {
      throw corrupt(name, `has ${file.sizeBytes} bytes, the manifest says ${sizeBytes}`);
    }
  }
  const names = manifest.files.map((file) => file.name);
  const found = await hashCheckpoint(names, (name) => openListed(store, manifest.step, name), options);
  for (const [i, expected] of manifest.files.entries()) {
    const { sha256 } = found.files[i] ?? { sha256: 'none' };
    if (sha256 !== expected.sha256) {
      throw corrupt(expected.name, `has SHA-256 ${sha256}, the manifest says ${expected.sha256}`);
    }
  }
  for (const field of ['modelSha256', 'stateSha256'] as const) {
    if (found[field] !== manifest[field])
      throw corrupt(MANIFEST_FILE, `has a ${field} that its files do not give`);
  }
}

async function openListed(store: CheckpointStore, step: number, name: string): Promise<ReadableFile> {
  try {
    return await store.open(step, name);
  } catch (error) {
    if (!CriaError.is(error) || error.code !== 'CHECKPOINT_MISSING') throw error;
    throw new CriaError('CHECKPOINT_MISSING', `${name} is missing`, {
      context: { file: name },
      cause: error,
    });
  }
}

function corrupt(file: string, what: string): CriaError {
  return new CriaError('CHECKPOINT_CORRUPT', `${file} ${what}`, { context: { file } });
}
