// Reads a checkpoint: parts of the flat state for workers that load it, the ledger for a leader.
import { entriesOf, type LedgerEntry } from '@cria/ledger';
import { CriaError } from '@cria/runtime';
import { LEDGER_FILE, TRAINER_STATE_FILE } from './checkpoint-name.js';
import { checkFits, readFlatRange } from './flat-tensors.js';
import type { FlatLayout } from './flat-layout.js';
import type { Manifest } from './manifest.js';
import { TensorSet } from './safetensors/tensor-set.js';
import type { CheckpointStore } from './store/checkpoint-store.js';
import { STATE_KINDS, type StateKind } from './tensor-files.js';
import { parseTrainerState, type TrainerState } from './trainer-state.js';
import { readManifest, readWhole, verifyCheckpoint, type VerifyOptions } from './verify.js';

const CHUNK_BYTES = 1 << 20;

export interface OpenCheckpointOptions extends VerifyOptions {
  readonly store: CheckpointStore;
  readonly step: number;
  readonly layout: FlatLayout;
  /** False when the caller has just verified it (`newestVerified`). Default true. */
  readonly verify?: boolean;
}

export class CheckpointReader {
  readonly manifest: Manifest;
  readonly trainerState: TrainerState;
  readonly layout: FlatLayout;
  readonly #store: CheckpointStore;
  readonly #tensors: TensorSet;

  private constructor(
    { store, layout }: OpenCheckpointOptions,
    parts: { manifest: Manifest; trainerState: TrainerState; tensors: TensorSet },
  ) {
    this.manifest = parts.manifest;
    this.trainerState = parts.trainerState;
    this.layout = layout;
    this.#store = store;
    this.#tensors = parts.tensors;
  }

  /**
   * Verifies every hash, then opens the files.
   *
   * @throws CriaError CHECKPOINT_CORRUPT or CHECKPOINT_MISSING naming the file, CHECKPOINT_INCOMPATIBLE
   *   when the tensors are not those of the layout
   */
  static async open(options: OpenCheckpointOptions): Promise<CheckpointReader> {
    const { store, step, layout } = options;
    const manifest = options.verify === false ? await readManifest(store, step) : await verified(options);
    const stateBytes = await readWhole(await store.open(step, TRAINER_STATE_FILE));
    const trainerState = parseTrainerState(stateBytes, TRAINER_STATE_FILE);
    const names = manifest.files.map((file) => file.name).filter((name) => name.endsWith('.safetensors'));
    const tensors = await TensorSet.open(await openAll(store, step, names));
    try {
      checkFits(tensors, layout, STATE_KINDS);
    } catch (error) {
      await tensors.close();
      throw error;
    }
    return new CheckpointReader(options, { manifest, trainerState, tensors });
  }

  /** Elements [from, from + out.length) of one flat array. Calls may overlap in time. */
  async readPart(kind: StateKind, from: number, out: Float32Array): Promise<void> {
    await readFlatRange({ tensors: this.#tensors, layout: this.layout, kind }, from, out);
  }

  /** A whole flat array, `layout.paddedSize` elements. */
  async readFlat(
    kind: StateKind,
    out: Float32Array = new Float32Array(this.layout.paddedSize),
  ): Promise<Float32Array> {
    await this.readPart(kind, 0, out);
    return out;
  }

  /** The entries of steps 0 to step - 1. */
  async *ledger(): AsyncGenerator<LedgerEntry> {
    const file = await this.#store.open(this.manifest.step, LEDGER_FILE);
    try {
      yield* entriesOf(chunksOf(file), LEDGER_FILE);
    } finally {
      await file.close();
    }
  }

  /** A small file such as config.json or tokenizer.json. CHECKPOINT_MISSING when there is none. */
  async readFile(name: string): Promise<Uint8Array> {
    return readWhole(await this.#store.open(this.manifest.step, name));
  }

  async close(): Promise<void> {
    await this.#tensors.close();
  }
}

async function verified({ store, step, signal, onProgress }: OpenCheckpointOptions): Promise<Manifest> {
  const verification = await verifyCheckpoint(store, step, { signal, onProgress });
  if (verification.ok) return verification.manifest;
  throw new CriaError(
    'CHECKPOINT_CORRUPT',
    `checkpoint of step ${step} in ${store.location}: ${verification.reason}; use an older one`,
    { context: { step, file: verification.file } },
  );
}

type OpenFile = Awaited<ReturnType<CheckpointStore['open']>>;

async function openAll(store: CheckpointStore, step: number, names: readonly string[]): Promise<OpenFile[]> {
  const files: OpenFile[] = [];
  try {
    for (const name of names) files.push(await store.open(step, name));
    return files;
  } catch (error) {
    await Promise.allSettled(files.map((file) => file.close()));
    throw error;
  }
}

async function* chunksOf(file: OpenFile): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < file.sizeBytes; position += CHUNK_BYTES) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, file.sizeBytes - position));
    await file.read(chunk, position);
    yield chunk;
  }
}
