// trainer-state.json: what training needs beside the weights and moments. Part of stateSha256, so it
// holds nothing that two runs of one genesis could differ in: no term, no time, no worker count.
import { canonicalJson } from '@cria/protocol';
import { CriaError } from '@cria/runtime';

export interface TrainerState {
  /** Steps committed. */
  readonly step: number;
  /** Tokens of those steps. */
  readonly tokens: number;
  readonly mathHash: string;
  /** Digest of the state, 16 hex digits. */
  readonly stateDigest: string;
  readonly genesis: string;
  /** What the run's numbers depend on, by name: engine, data, parent. */
  readonly fingerprints: Readonly<Record<string, string | null>>;
  /** The *mathematical* part of the configuration: never a worker count, a time-out, a path or the run's name. */
  readonly config: unknown;
}

const TRAINER_STATE_VERSION = 1;

/** The bytes of trainer-state.json: keys sorted at every depth, so that equal values are equal bytes. */
export function formatTrainerState(state: TrainerState): Buffer {
  const { step, tokens, mathHash, stateDigest, genesis, fingerprints, config } = state;
  const fields = {
    version: TRAINER_STATE_VERSION,
    step,
    tokens,
    mathHash,
    stateDigest,
    genesis,
    fingerprints,
    config,
  };
  const sorted: unknown = JSON.parse(canonicalJson(fields));
  return Buffer.from(`${JSON.stringify(sorted, null, 2)}\n`, 'utf8');
}

/** @throws CriaError CHECKPOINT_CORRUPT */
export function parseTrainerState(bytes: Uint8Array, place: string): TrainerState {
  let record: (TrainerState & { version?: unknown }) | null;
  try {
    record = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof record;
  } catch (cause) {
    throw new CriaError('CHECKPOINT_CORRUPT', `${place} is not JSON`, { context: { file: place }, cause });
  }
  if (record?.version === TRAINER_STATE_VERSION) return record;
  throw new CriaError(
    'CHECKPOINT_CORRUPT',
    `${place} is of version ${String(record?.version)}, this Cria reads ${TRAINER_STATE_VERSION}`,
    { context: { file: place } },
  );
}
