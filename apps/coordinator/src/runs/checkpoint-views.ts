// The checkpoints of a store as pages show them.
import { readManifest } from '@cria/checkpoint';
import type { CheckpointStore, Manifest } from '@cria/checkpoint';
import { CriaError } from '@cria/runtime';
import type { CheckpointView } from '../http/run-view.js';

export function checkpointView(
  manifest: Manifest,
  path: string,
  verify: CheckpointView['verify'],
): CheckpointView {
  const { step, stateSha256, modelSha256, mathHash, opsHash, times, term, members, files } = manifest;
  return {
    ...{ step, path, stateSha256, modelSha256, mathHash, opsHash, members, verify },
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    wallMs: times.committedMs,
    writtenMs: times.committedMs - times.beganMs,
    term: term.number,
    leader: term.leader,
    problem: '',
  };
}

/** Of one that cannot even be read. */
export function damagedView(step: number, path: string, problem: string): CheckpointView {
  return {
    ...{ step, path, problem, sizeBytes: 0, wallMs: 0, writtenMs: 0, term: 0 },
    ...{ stateSha256: '', modelSha256: '', mathHash: '', opsHash: '', leader: '', members: [] },
    verify: 'damaged',
  };
}

/** All complete ones, by step; `known` saves reading a manifest twice. */
export async function checkpointViews(
  store: CheckpointStore,
  known: Map<number, CheckpointView>,
): Promise<CheckpointView[]> {
  const complete = (await store.list()).filter((one) => one.complete);
  const steps = new Set(complete.map((one) => one.step));
  for (const step of known.keys()) if (!steps.has(step)) known.delete(step);
  for (const { step, name } of complete) {
    if (known.has(step)) continue;
    const path = `${store.location}/${name}`;
    try {
      known.set(step, checkpointView(await readManifest(store, step), path, 'unknown'));
    } catch (error) {
      known.set(step, damagedView(step, path, CriaError.from(error).message));
    }
  }
  return [...known.values()].sort((a, b) => a.step - b.step);
}
