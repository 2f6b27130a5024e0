// The moment a checkpoint begins to exist, and what happens when its name is taken: the same
// mathematics is success (another leader was faster, or a resumed run came by again), damage is set
// aside and replaced, other mathematics stops the run.
import { CriaError } from '@cria/runtime';
import { formatManifest, type Manifest } from './manifest.js';
import type { CheckpointStore, StagedCheckpoint } from './store/checkpoint-store.js';
import { readManifest, verifyCheckpoint } from './verify.js';

/** How often a damaged name is cleared for us while somebody else takes it again. */
const MAX_ATTEMPTS = 3;

export async function publishCheckpoint(
  store: CheckpointStore,
  staged: StagedCheckpoint,
  manifest: Manifest,
): Promise<{ manifest: Manifest; created: boolean }> {
  const bytes = formatManifest(manifest);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    if ((await staged.publish(bytes)) === 'published') return { manifest, created: true };
    const existing = await intactCheckpoint(store, manifest);
    if (existing !== null) return { manifest: existing, created: false };
    await store.setAside(manifest.step);
  }
  throw new CriaError(
    'STORAGE_FAILED',
    `${store.location}: the name of step ${manifest.step} was taken ${MAX_ATTEMPTS} times by damaged checkpoints`,
    { context: { step: manifest.step } },
  );
}

/** The manifest of the checkpoint that is there, or null when it is incomplete or damaged. */
async function intactCheckpoint(store: CheckpointStore, ours: Manifest): Promise<Manifest | null> {
  let existing: Manifest;
  try {
    existing = await readManifest(store, ours.step);
  } catch (error) {
    if (CriaError.is(error) && error.code.startsWith('CHECKPOINT_')) return null;
    throw error;
  }
  for (const field of [
    'runId',
    'genesis',
    'mathHash',
    'stateDigest',
    'modelSha256',
    'stateSha256',
  ] as const) {
    if (existing[field] !== ours[field]) throw diverged(store, { field, existing, ours });
  }
  const verification = await verifyCheckpoint(store, ours.step);
  return verification.ok ? existing : null;
}

function diverged(
  store: CheckpointStore,
  { field, existing, ours }: { field: keyof Manifest; existing: Manifest; ours: Manifest },
): CriaError {
  const [theirs, mine] = [String(existing[field]), String(ours[field])];
  return new CriaError(
    'LEDGER_DIVERGED',
    `${store.location} already holds a checkpoint of step ${ours.step} with ${field} ${theirs}, this one has ${mine}; ` +
      'compare the machines that made them, then start a new run from a checkpoint before this step',
    { context: { step: ours.step, field, existing: theirs, ours: mine } },
  );
}
