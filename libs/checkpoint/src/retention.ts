// Which checkpoint to start from, and which to keep. Both rest on verification: a manifest alone only
// says that somebody once wrote the files.
import { assert, CriaError } from '@cria/runtime';
import type { Manifest } from './manifest.js';
import type { CheckpointStore } from './store/checkpoint-store.js';
import { verifyCheckpoint, type VerifyOptions } from './verify.js';

export interface RejectedCheckpoint {
  readonly step: number;
  readonly file: string;
  readonly reason: string;
}

export interface NewestVerified {
  /** null when no checkpoint verifies. */
  readonly manifest: Manifest | null;
  /** Newer ones that do not verify, newest first, with the file that is bad. */
  readonly rejected: readonly RejectedCheckpoint[];
}

/** The newest checkpoint that verifies; those without a manifest do not count. Stops reading at the first good one. */
export async function newestVerified(
  store: CheckpointStore,
  options: VerifyOptions = {},
): Promise<NewestVerified> {
  const rejected: RejectedCheckpoint[] = [];
  for (const { step, complete } of await store.list()) {
    if (!complete) continue;
    const verification = await verifyCheckpoint(store, step, options);
    if (verification.ok) return { manifest: verification.manifest, rejected };
    rejected.push({ step, file: verification.file, reason: verification.reason });
  }
  return { manifest: null, rejected };
}

/** {@link newestVerified} for a caller that cannot go on without one. CHECKPOINT_MISSING or CHECKPOINT_CORRUPT. */
export async function requireVerified(
  store: CheckpointStore,
  options: VerifyOptions = {},
): Promise<{ manifest: Manifest; rejected: readonly RejectedCheckpoint[] }> {
  const { manifest, rejected } = await newestVerified(store, options);
  if (manifest !== null) return { manifest, rejected };
  if (rejected.length === 0) {
    throw new CriaError('CHECKPOINT_MISSING', `there is no checkpoint in ${store.location}`);
  }
  const list = rejected.map(({ step, reason }) => `step ${step}: ${reason}`).join('; ');
  throw new CriaError('CHECKPOINT_CORRUPT', `no checkpoint in ${store.location} verifies: ${list}`);
}

export interface PruneOptions extends VerifyOptions {
  /** How many complete checkpoints stay, at least 1. */
  readonly keep: number;
  /** A step known to verify, such as the one just written: saves reading it again. */
  readonly verifiedStep?: number;
}

export interface Pruned {
  /** Steps that stay, newest first. */
  readonly kept: readonly number[];
  /** Names removed: older checkpoints and what interrupted writers left. */
  readonly removed: readonly string[];
}

/** Keeps the newest `keep` checkpoints, and the newest that verifies even if it is older. */
export async function pruneCheckpoints(store: CheckpointStore, options: PruneOptions): Promise<Pruned> {
  assert(Number.isInteger(options.keep) && options.keep >= 1, 'at least one checkpoint is kept');
  const stored = await store.list();
  const steps = stored.filter((one) => one.complete).map((one) => one.step);
  const kept = steps.slice(0, options.keep);
  const older = steps.slice(options.keep);
  if (older.length > 0 && !(await anyVerifies(store, kept, options))) {
    for (const step of older) {
      if (!(await verifyCheckpoint(store, step, options)).ok) continue;
      kept.push(step);
      break;
    }
    // Nothing verifies at all: what is there may still be mended by a person.
    if (kept.length === options.keep) return { kept: steps, removed: [] };
  }
  const newest = steps[0] ?? -1;
  const removed: string[] = [];
  for (const one of stored) {
    // What writers left beyond the newest checkpoint may still be at work in another process.
    if (one.complete ? kept.includes(one.step) : one.step > newest) continue;
    await store.remove(one);
    removed.push(one.name);
  }
  return { kept, removed };
}

async function anyVerifies(
  store: CheckpointStore,
  steps: readonly number[],
  options: PruneOptions,
): Promise<boolean> {
  for (const step of steps) {
    if (step === options.verifiedStep || (await verifyCheckpoint(store, step, options)).ok) return true;
  }
  return false;
}
