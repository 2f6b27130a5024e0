// Where a run keeps its checkpoints, and which of them a command means.
import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  checkpointName,
  DirectoryStore,
  parseCheckpointName,
  requireVerified,
  verifyCheckpoint,
  type CheckpointStore,
  type VerifyOptions,
} from '@cria/checkpoint';
import type { RunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import { CONFIG_FILE, readRunConfig } from '../run/run-config-file.js';

/** The store of the run in `runDir`. */
export function openStore(runDir: string, config: RunConfig): CheckpointStore {
  const { store } = config.checkpoint;
  return new DirectoryStore(store ?? join(runDir, 'checkpoints'));
}

/**
 * The model directory that a path means: a run's newest checkpoint that verifies, a checkpoint (verified), or any
 * other Hugging Face model directory as it is.
 *
 * @throws CriaError CHECKPOINT_CORRUPT or CHECKPOINT_MISSING naming the bad file
 */
export async function modelDirectory(path: string, options: VerifyOptions = {}): Promise<string> {
  if (existsSync(join(path, CONFIG_FILE))) {
    const store = openStore(path, readRunConfig(path));
    const { manifest } = await requireVerified(store, options);
    return directoryOf(store, manifest.step);
  }
  const parsed = parseCheckpointName(basename(resolve(path)));
  if (parsed !== null && parsed.suffix === '') await expectVerified(path, parsed.step, options);
  return path;
}

/** Directory of a checkpoint. */
export function directoryOf(store: CheckpointStore, step: number): string {
  return join(store.location, checkpointName(step));
}

async function expectVerified(path: string, step: number, options: VerifyOptions): Promise<void> {
  const store = new DirectoryStore(dirname(resolve(path)));
  const verification = await verifyCheckpoint(store, step, options);
  if (verification.ok) return;
  throw new CriaError(
    'CHECKPOINT_CORRUPT',
    `${path} is damaged: ${verification.reason}; use an older checkpoint (\`cria checkpoints verify\` says which are good)`,
  );
}
