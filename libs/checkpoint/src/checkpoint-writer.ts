// Writes one checkpoint: parts of the flat state in any order, then the small files, then all of it
// read back and hashed, then the manifest. Whatever goes wrong before the last moment leaves the store
// as it was.
import {
  formatLine,
  genesisPoint,
  linkFault,
  pointAfter,
  type ChainPoint,
  type LedgerEntry,
} from '@cria/ledger';
import { assert, CriaError, type Clock } from '@cria/runtime';
import { LEDGER_FILE, MANIFEST_FILE, TRAINER_STATE_FILE } from './checkpoint-name.js';
import { checkLayout, segmentsOf, type FlatLayout } from './flat-layout.js';
import type { Manifest } from './manifest.js';
import { publishCheckpoint } from './publish.js';
import { RangeCoverage, type Range } from './range-coverage.js';
import { hashCheckpoint } from './state-hash.js';
import type { CheckpointStore, StagedCheckpoint, WritableFile } from './store/checkpoint-store.js';
import {
  modelFiles,
  optimizerFiles,
  STATE_KINDS,
  tensorName,
  type StateKind,
  type TensorFilePlan,
} from './tensor-files.js';
import { formatTrainerState, type TrainerState } from './trainer-state.js';

/** Hugging Face's limit before version 5: 5 GB. */
export const DEFAULT_MAX_FILE_BYTES = 5_000_000_000;

/** Ledger lines that are written at a time. */
const LEDGER_BATCH_LINES = 256;

/** A small file that is stored as it is. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface BeginCheckpointOptions {
  readonly store: CheckpointStore;
  /** Steps committed before this state. */
  readonly step: number;
  readonly layout: FlatLayout;
  /** config.json, generation_config.json and the tokenizer's files. */
  readonly files: readonly NamedBytes[];
  /** Names this writer among others: letters, digits, dots, dashes. The term and the leader's id do. */
  readonly owner: string;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Larger tensor files are split; part of the bytes, so the same for all writers of a run. */
  readonly maxFileBytes?: number;
}

/** What the leader knows at the end. */
export interface CheckpointFacts {
  readonly runId: string;
  readonly genesis: string;
  readonly tokens: number;
  readonly mathHash: string;
  readonly opsHash: string;
  readonly stateDigest: string;
  readonly term: { readonly number: number; readonly leader: string };
  readonly members: readonly string[];
  readonly fingerprints: TrainerState['fingerprints'];
  /** The mathematical part of the configuration; see {@link TrainerState}. */
  readonly config: unknown;
  /** All entries before `step`, from the first on. */
  readonly ledger: Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>;
  readonly signal?: AbortSignal;
}

export interface CommittedCheckpoint {
  readonly manifest: Manifest;
  /** False when the same checkpoint, intact, was there already. */
  readonly created: boolean;
}

/** A tensor's bytes: where a part of the flat state goes. */
interface Destination {
  readonly file: WritableFile;
  readonly position: number;
}

export class CheckpointWriter {
  readonly step: number;
  readonly #options: BeginCheckpointOptions;
  readonly #staged: StagedCheckpoint;
  readonly #names: string[] = [];
  readonly #destinations = new Map<string, Destination>();
  readonly #coverage: Readonly<Record<StateKind, RangeCoverage>>;
  readonly #pending = new Set<Promise<void>>();
  readonly #beganMs: number;
  /** The first write that failed: what it claimed is not on disk. */
  #failure: unknown = null;
  #ended = false;

  private constructor(options: BeginCheckpointOptions, staged: StagedCheckpoint) {
    const { paddedSize } = options.layout;
    this.step = options.step;
    this.#options = options;
    this.#staged = staged;
    this.#beganMs = options.clock.wallMs();
    this.#coverage = {
      params: new RangeCoverage(paddedSize),
      expAvg: new RangeCoverage(paddedSize),
      expAvgSq: new RangeCoverage(paddedSize),
    };
  }

  /** Makes the tensor files with their headers. STORAGE_FAILED when the store refuses. */
  static async begin(options: BeginCheckpointOptions): Promise<CheckpointWriter> {
    checkLayout(options.layout);
    checkFileNames(options.files);
    const writer = new CheckpointWriter(options, await options.store.stage(options.step, options.owner));
    try {
      const maxFileBytes = options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES;
      await writer.#createTensorFiles(modelFiles(options.layout, maxFileBytes));
      await writer.#createTensorFiles(optimizerFiles(options.layout, maxFileBytes));
      return writer;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  /**
   * Writes elements [from, from + values.length) of one flat array. Calls may overlap in time.
   * Asserts that no element comes twice. STATE_DAMAGED when padding is not 0: it is not stored, so
   * it could not be restored.
   */
  async writePart(kind: StateKind, from: number, values: Float32Array): Promise<void> {
    assert(!this.#ended, 'this checkpoint is no longer written');
    const range = { from, end: from + values.length };
    const double = this.#coverage[kind].claim(range);
    assert(double === null, `${kind} [${double?.from}, ${double?.end}) comes twice`);
    const write = this.#writeSegments(kind, from, values);
    this.#pending.add(write);
    try {
      await write;
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      this.#pending.delete(write);
    }
  }

  /** Ranges of one flat array that have not come yet. */
  missing(kind: StateKind): Range[] {
    return this.#coverage[kind].missing();
  }

  /**
   * Finishes the checkpoint. Asserts that every element has come.
   *
   * @throws CriaError LEDGER_CORRUPT when the ledger does not lead to the given hashes, LEDGER_DIVERGED
   *   when another checkpoint of this step with other mathematics is there, STORAGE_FAILED; nothing of
   *   this checkpoint is left then, and others are untouched
   */
  async commit(facts: CheckpointFacts): Promise<CommittedCheckpoint> {
    assert(!this.#ended, 'this checkpoint is no longer written');
    try {
      await Promise.allSettled(this.#pending);
      if (this.#failure !== null) throw this.#failure;
      for (const kind of STATE_KINDS) {
        const [gap] = this.missing(kind);
        assert(gap === undefined, `${kind} [${gap?.from}, ${gap?.end}) never came`);
      }
      for (const { name, bytes } of this.#options.files) await this.#createFile(name, bytes);
      await this.#createFile(TRAINER_STATE_FILE, formatTrainerState({ ...facts, step: this.step }));
      await this.#writeLedger(facts);
      await this.#staged.seal();
      const manifest = await this.#makeManifest(facts);
      return await publishCheckpoint(this.#options.store, this.#staged, manifest);
    } finally {
      await this.abort();
    }
  }

  /** Gives up and removes what was written. Does nothing after `commit`; never fails. */
  async abort(): Promise<void> {
    this.#ended = true;
    await Promise.allSettled(this.#pending);
    await this.#staged.discard();
  }

  async #createTensorFiles({ files, index }: TensorFilePlan): Promise<void> {
    for (const { name, head, header } of files) {
      const file = await this.#staged.create(name, header.fileBytes);
      this.#names.push(name);
      await file.write(head, 0);
      for (const tensor of header.tensors) {
        this.#destinations.set(tensor.name, { file, position: tensor.begin });
      }
    }
    if (index !== null) await this.#createFile(index.name, index.bytes);
  }

  async #createFile(name: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#staged.create(name, bytes.byteLength);
    this.#names.push(name);
    await file.write(bytes, 0);
  }

  /** Verified from the genesis on while it is written. */
  async #writeLedger(facts: CheckpointFacts): Promise<void> {
    const file = await this.#staged.create(LEDGER_FILE, 0);
    this.#names.push(LEDGER_FILE);
    let head = genesisPoint(facts.runId, facts.genesis);
    let position = 0;
    let lines: string[] = [];
    const flush = async (): Promise<void> => {
      const bytes = Buffer.from(lines.join(''), 'utf8');
      lines = [];
      await file.write(bytes, position);
      position += bytes.length;
    };
    for await (const entry of facts.ledger) {
      const fault = linkFault(head, entry);
      if (fault !== null) {
        throw new CriaError('LEDGER_CORRUPT', `ledger for the checkpoint of step ${this.step}: ${fault}`);
      }
      head = pointAfter(entry);
      lines.push(`${formatLine(entry)}\n`);
      if (lines.length === LEDGER_BATCH_LINES) await flush();
    }
    await flush();
    checkLedgerHead(head, facts, this.step);
  }

  async #writeSegments(kind: StateKind, from: number, values: Float32Array): Promise<void> {
    const { layout } = this.#options;
    let stored = 0;
    for (const segment of segmentsOf(layout, from, values.length)) {
      checkPadding(values.subarray(stored, segment.offsetInRange), kind, from + stored);
      stored = segment.offsetInRange + segment.count;
      const name = tensorName(kind, layout.tensors[segment.tensor]?.name ?? '');
      const destination = this.#destinations.get(name);
      assert(destination !== undefined, `${name} has a place in a file`);
      const bytes = new Uint8Array(
        values.buffer,
        values.byteOffset + 4 * segment.offsetInRange,
        4 * segment.count,
      );
      await destination.file.write(bytes, destination.position + 4 * segment.offsetInTensor);
    }
    checkPadding(values.subarray(stored), kind, from + stored);
  }

  async #makeManifest(facts: CheckpointFacts): Promise<Manifest> {
    const { runId, genesis, mathHash, opsHash, stateDigest, term, members, signal } = facts;
    const hashes = await hashCheckpoint(this.#names, (name) => this.#staged.open(name), { signal });
    const times = { beganMs: this.#beganMs, committedMs: this.#options.clock.wallMs() };
    return {
      ...{ runId, genesis, step: this.step, mathHash, opsHash, stateDigest, term, members, times },
      ...hashes,
    };
  }
}

function checkFileNames(files: readonly NamedBytes[]): void {
  const names = files.map((file) => file.name);
  assert(new Set(names).size === names.length, 'two files of a checkpoint have one name');
  for (const name of names) {
    const isOurs = [MANIFEST_FILE, TRAINER_STATE_FILE, LEDGER_FILE].includes(name);
    assert(!isOurs && !/\.safetensors(\.index\.json)?$/.test(name), `the name ${name} is taken`);
  }
}

function checkPadding(values: Float32Array, kind: StateKind, from: number): void {
  const at = values.findIndex((value) => value !== 0);
  if (at < 0) return;
  throw new CriaError('STATE_DAMAGED', `${kind}: padding element ${from + at} is ${values[at]}, not 0`, {
    context: { kind, element: from + at },
  });
}

/** The ledger has to lead to the hashes that the manifest will name. */
function checkLedgerHead(head: ChainPoint, facts: CheckpointFacts, step: number): void {
  const { mathHash, opsHash } = facts;
  if (head.step === step - 1 && head.mathHash === mathHash && head.opsHash === opsHash) return;
  throw new CriaError(
    'LEDGER_CORRUPT',
    `ledger for the checkpoint of step ${step} ends after step ${head.step} with mathHash ${head.mathHash} ` +
      `and opsHash ${head.opsHash}, expected were ${mathHash} and ${opsHash}`,
    { context: { step, lastStep: head.step } },
  );
}
