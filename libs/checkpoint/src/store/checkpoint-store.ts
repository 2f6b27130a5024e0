// The port between checkpoints and where they are kept. It knows files and names, no tensors: what a
// checkpoint is, how it is verified and which ones are kept stands above it and is the same for a
// directory and for S3. `checkpointStoreConformance` says what an implementation has to do.

/** A file that is read by position. */
export interface ReadableFile {
  readonly name: string;
  readonly sizeBytes: number;
  /** Fills `into` with the bytes from `position` on. Fails when the file ends before. */
  read(into: Uint8Array, position: number): Promise<void>;
  close(): Promise<void>;
}

/** A file that is written by position, in any order. */
export interface WritableFile {
  write(bytes: Uint8Array, position: number): Promise<void>;
}

/**
 * A checkpoint that is being written. Nobody sees it before `publish`.
 * Every method fails with CriaError STORAGE_FAILED when the store refuses.
 */
export interface StagedCheckpoint {
  /** @param sizeBytes what is known to come; writing beyond it makes the file longer */
  create(name: string, sizeBytes: number): Promise<WritableFile>;
  /** Makes all created files durable; nothing is created or written afterwards. */
  seal(): Promise<void>;
  /** Reads a file of a sealed checkpoint. */
  open(name: string): Promise<ReadableFile>;
  /**
   * Adds the manifest and gives the whole its name, in one indivisible step, unless the name is taken.
   * May be repeated after `taken`.
   */
  publish(manifest: Uint8Array): Promise<'published' | 'taken'>;
  /** Removes everything that was not published. Never fails; may be called at any time and twice. */
  discard(): Promise<void>;
}

/** What stands under one name in the store. */
export interface StoredCheckpoint {
  /** Steps committed before it. */
  readonly step: number;
  readonly name: string;
  /** Whether it has a manifest; says nothing about damage. */
  readonly complete: boolean;
}

/** Where checkpoints are kept. */
export interface CheckpointStore {
  /** For messages: a path or a URL. */
  readonly location: string;
  /** Newest first; several leftovers of one step may stand beside its checkpoint. */
  list(): Promise<readonly StoredCheckpoint[]>;
  /** A file of the complete checkpoint of `step`. CHECKPOINT_MISSING when there is none. */
  open(step: number, file: string): Promise<ReadableFile>;
  /** Begins a checkpoint and removes what earlier writers of this step left behind. `owner` names the writer. */
  stage(step: number, owner: string): Promise<StagedCheckpoint>;
  /** Frees the name of `step`, keeping what is there under another name for a person to look at. */
  setAside(step: number): Promise<void>;
  /** Removes one entry of `list`; a crash in the middle leaves nothing that looks complete. */
  remove(stored: StoredCheckpoint): Promise<void>;
  /** Run id of the store's owner, or null for a new store. */
  owner(): Promise<string | null>;
  /** Makes the run the owner unless it is. RUN_MISMATCH when another run owns the store. */
  claim(runId: string): Promise<void>;
}
