// Hashes a checkpoint's files in one pass: each by itself, and the running hashes over several files
// that make modelSha256 and stateSha256. `cat model*.safetensors | sha256sum` gives the same.
import { createHash, type Hash } from 'node:crypto';
import { TRAINER_STATE_FILE } from './checkpoint-name.js';
import type { ManifestFile } from './manifest.js';
import type { ReadableFile } from './store/checkpoint-store.js';

/** A megabyte is hashed in about a millisecond: other work gets its turn in between. */
const CHUNK_BYTES = 1 << 20;

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after every chunk with the bytes done so far over all files. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

export interface CheckpointHashes {
  /** In name order. */
  readonly files: readonly ManifestFile[];
  readonly modelSha256: string;
  readonly stateSha256: string;
}

/** Opens the named files one after the other and reads each once. */
export async function hashCheckpoint(
  names: readonly string[],
  open: (name: string) => Promise<ReadableFile>,
  options: HashOptions = {},
): Promise<CheckpointHashes> {
  const files: ManifestFile[] = [];
  const progress = { doneBytes: 0 };
  const state = createHash('sha256');
  let modelSha256 = state.copy().digest('hex');
  const inOrder = [...names].sort(stateOrder);
  for (const name of inOrder) {
    const role = roleOf(name);
    const file = createHash('sha256');
    const sizeBytes = await hashFile(await open(name), role === 'other' ? [file] : [file, state], {
      ...options,
      progress,
    });
    files.push({ name, sizeBytes, sha256: file.digest('hex') });
    if (role === 'model') modelSha256 = state.copy().digest('hex');
  }
  files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { files, modelSha256, stateSha256: state.digest('hex') };
}

const ROLES = ['model', 'optimizer', 'trainer', 'other'] as const;
type Role = (typeof ROLES)[number];

function roleOf(name: string): Role {
  if (/^model.*\.safetensors$/.test(name)) return 'model';
  if (/^optimizer.*\.safetensors$/.test(name)) return 'optimizer';
  return name === TRAINER_STATE_FILE ? 'trainer' : 'other';
}

function stateOrder(a: string, b: string): number {
  return ROLES.indexOf(roleOf(a)) - ROLES.indexOf(roleOf(b)) || (a < b ? -1 : 1);
}

async function hashFile(
  file: ReadableFile,
  hashes: readonly Hash[],
  { signal, onProgress, progress }: HashOptions & { progress: { doneBytes: number } },
): Promise<number> {
  try {
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, file.sizeBytes));
    for (let position = 0; position < file.sizeBytes;) {
      signal?.throwIfAborted();
      const chunk = buffer.subarray(0, Math.min(CHUNK_BYTES, file.sizeBytes - position));
      await file.read(chunk, position);
      for (const hash of hashes) hash.update(chunk);
      position += chunk.length;
      progress.doneBytes += chunk.length;
      onProgress?.(progress.doneBytes);
    }
    return file.sizeBytes;
  } finally {
    await file.close();
  }
}
