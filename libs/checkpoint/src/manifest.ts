// manifest.json: written last, and only it makes a directory a checkpoint. It holds all that depends
// on how the run went, so that the other files depend on the state alone. It proves itself: its last
// field is the SHA-256 of the others, and it has one spelling, so a changed byte is found here too.
import { createHash } from 'node:crypto';
import { CriaError } from '@cria/runtime';

export interface ManifestFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface Manifest {
  readonly runId: string;
  readonly genesis: string;
  /** Steps committed before this state; the last entry of its ledger is step - 1. */
  readonly step: number;
  /** Heads of the two ledger chains. */
  readonly mathHash: string;
  readonly opsHash: string;
  /** Digest of the state, 16 hex digits, as the members reported it. */
  readonly stateDigest: string;
  /** The leadership that wrote it. */
  readonly term: { readonly number: number; readonly leader: string };
  /** Workers that delivered the state. */
  readonly members: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly times: { readonly beganMs: number; readonly committedMs: number };
  /** SHA-256 over the bytes of model*.safetensors in name order, one after the other. */
  readonly modelSha256: string;
  /** The same over model*.safetensors, then optimizer*.safetensors, then trainer-state.json. */
  readonly stateSha256: string;
  /** All other files, in name order. */
  readonly files: readonly ManifestFile[];
}

const MANIFEST_VERSION = 1;

/** The bytes of manifest.json. */
export function formatManifest(manifest: Manifest): Buffer {
  const fields = { version: MANIFEST_VERSION, ...inOrder(manifest) };
  const sha256 = createHash('sha256').update(JSON.stringify(fields)).digest('hex');
  return Buffer.from(`${JSON.stringify({ ...fields, sha256 }, null, 2)}\n`, 'utf8');
}

/** The manifest's own fields in the order of the file, nothing else. */
function inOrder(manifest: Manifest): Manifest {
  const { runId, genesis, step, mathHash, opsHash, stateDigest, term, members, times } = manifest;
  return {
    runId,
    genesis,
    step,
    mathHash,
    opsHash,
    stateDigest,
    term: { number: term.number, leader: term.leader },
    members,
    times: { beganMs: times.beganMs, committedMs: times.committedMs },
    modelSha256: manifest.modelSha256,
    stateSha256: manifest.stateSha256,
    files: manifest.files.map(({ name, sizeBytes, sha256 }) => ({ name, sizeBytes, sha256 })),
  };
}

/**
 * Reads manifest.json.
 *
 * @param place how errors call it
 * @throws CriaError CHECKPOINT_CORRUPT
 */
export function parseManifest(bytes: Uint8Array, place: string): Manifest {
  const corrupt = (what: string, cause?: unknown): CriaError =>
    new CriaError('CHECKPOINT_CORRUPT', `${place} ${what}`, { context: { file: place }, cause });
  let record: Manifest & { version?: unknown };
  try {
    record = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof record;
  } catch (cause) {
    throw corrupt('is not JSON', cause);
  }
  if (record?.version !== MANIFEST_VERSION) {
    throw corrupt(`is of version ${String(record?.version)}, this Cria reads ${MANIFEST_VERSION}`);
  }
  if (!isReproduced(record, bytes)) throw corrupt('was changed: it does not fit the hash at its end');
  return inOrder(record);
}

/** Written again from its fields it must be the same bytes, hash included. */
function isReproduced(record: Manifest, bytes: Uint8Array): boolean {
  try {
    return formatManifest(record).equals(bytes);
  } catch {
    return false; // A field that formatting needs is missing.
  }
}
