// ledger.jsonl on disk, written by the lease holder alone. Whoever takes over writes a *new* file and
// renames it over the old one: a deposed leader that wakes up in the middle of a line then writes into
// a file that no longer has a name (protocol-holes H13). Redis fixes the order; this file may lag
// behind it, so appending and making durable are two calls.
import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { assert, AssertionError, CriaError, systemCode } from '@cria/runtime';
import { linkFault, pointAfter, type ChainPoint } from './chain.js';
import type { LedgerEntry } from './entry.js';
import { formatLine } from './line.js';

/** Lines are joined up to about this size before they are written. */
const BATCH_CHARS = 1 << 20;

export interface TakeOverOptions {
  /** Where ledger.jsonl is or will be. */
  readonly path: string;
  /** The place that the first entry follows; the run's genesis point for a whole ledger. */
  readonly from: ChainPoint;
  /** All entries up to the head. */
  readonly entries: Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>;
  /** Names the new file until it is renamed: the term is a good choice. Letters, digits, dots and dashes. */
  readonly owner: string;
}

/**
 * The append-only writer.
 *
 * Every method throws CriaError STORAGE_FAILED when the disk refuses, and LEASE_LOST when another
 * writer has taken over the name; after an error the file is closed and has to be taken over again.
 */
export class LedgerFile {
  readonly path: string;
  readonly #file: FileHandle;
  #head: ChainPoint;
  /** Size of what was written whole. */
  #sizeBytes: number;
  /** All writes and syncs, one after the other. */
  #queue: Promise<void> = Promise.resolve();
  #pendingSync: Promise<void> | null = null;
  #failure: CriaError | null = null;
  #closing: Promise<void> | null = null;

  private constructor(path: string, file: FileHandle, at: { head: ChainPoint; sizeBytes: number }) {
    this.path = path;
    this.#file = file;
    this.#head = at.head;
    this.#sizeBytes = at.sizeBytes;
  }

  /** Writes a new file with the given entries, makes it durable and gives it the name. */
  static async takeOver({ path, from, entries, owner }: TakeOverOptions): Promise<LedgerFile> {
    assert(/^[A-Za-z0-9.-]+$/.test(owner), `"${owner}" cannot be part of a file name`);
    const newPath = `${path}.new-${owner}`;
    let file: FileHandle | null = null;
    try {
      await removeUnfinished(path);
      file = await open(newPath, 'wx');
      const head = await writeAll(file, from, entries);
      await file.datasync();
      await rename(newPath, path);
      await syncDirectory(dirname(path));
      return new LedgerFile(path, file, { head, sizeBytes: (await file.stat()).size });
    } catch (error) {
      await file?.close().catch(() => undefined); // the first error is the one to tell
      await rm(newPath, { force: true }).catch(() => undefined);
      throw storageFailure(path, error);
    }
  }

  /** The place after the last appended entry. */
  get head(): ChainPoint {
    return this.#head;
  }

  /** Appends entries that follow the head; resolves when the operating system has them (not yet durable). */
  append(entries: readonly LedgerEntry[]): Promise<void> {
    for (const entry of entries) this.#advance(entry);
    const text = entries.map((entry) => `${formatLine(entry)}\n`).join('');
    return this.#enqueue(() => this.#appendWhole(text));
  }

  /** All of the text or nothing of it: a full disk takes the beginning of a line, and gives it back. */
  async #appendWhole(text: string): Promise<void> {
    try {
      await this.#file.appendFile(text);
      this.#sizeBytes += Buffer.byteLength(text);
    } catch (error) {
      await this.#file.truncate(this.#sizeBytes).catch(() => undefined); // the write's error is the one to tell
      throw error;
    }
  }

  /** Resolves when everything appended before this call is durable. Calls that wait together share one fdatasync. */
  sync(): Promise<void> {
    this.#pendingSync ??= this.#enqueue(async () => {
      this.#pendingSync = null;
      await this.#checkName();
      await this.#file.datasync();
    });
    return this.#pendingSync;
  }

  /** Makes everything durable and closes; a second call returns the first one's promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#failure !== null) return;
    await this.sync();
    await this.#file.close();
  }

  #advance(entry: LedgerEntry): void {
    const fault = linkFault(this.#head, entry);
    assert(fault === null, `cannot append to the ledger: ${fault}`);
    this.#head = pointAfter(entry);
  }

  #enqueue(write: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue
      .catch(() => undefined)
      .then(async () => {
        if (this.#failure !== null) throw this.#failure;
        try {
          await write();
        } catch (error) {
          this.#failure = storageFailure(this.path, error);
          await this.#file.close().catch(() => undefined); // the write's error is the one to tell
          throw this.#failure;
        }
      });
    return this.#queue;
  }

  /** The name must still lead to this file. */
  async #checkName(): Promise<void> {
    const ours = await this.#file.stat();
    const named = await stat(this.path).catch(() => null);
    if (named !== null && named.ino === ours.ino && named.dev === ours.dev) return;
    throw new CriaError('LEASE_LOST', `${this.path} now belongs to another writer, or was removed`, {
      context: { path: this.path },
    });
  }
}

async function writeAll(
  file: FileHandle,
  from: ChainPoint,
  entries: TakeOverOptions['entries'],
): Promise<ChainPoint> {
  let head = from;
  let batch = '';
  for await (const entry of entries) {
    const fault = linkFault(head, entry);
    assert(fault === null, `cannot write the ledger: ${fault}`);
    head = pointAfter(entry);
    batch += `${formatLine(entry)}\n`;
    if (batch.length < BATCH_CHARS) continue;
    await file.appendFile(batch);
    batch = '';
  }
  await file.appendFile(batch);
  return head;
}

/**
 * Removes what writers left that died, or sleep, while taking over. Needed, not tidy: one that wakes
 * up must not find its old file and rename it over the new one.
 */
async function removeUnfinished(path: string): Promise<void> {
  const prefix = `${basename(path)}.new-`;
  for (const name of await readdir(dirname(path))) {
    if (name.startsWith(prefix)) await rm(join(dirname(path), name), { force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function storageFailure(path: string, error: unknown): CriaError {
  if (CriaError.is(error)) return error;
  if (error instanceof AssertionError) throw error;
  const why = systemCode(error) ?? (error instanceof Error ? error.message : 'unknown error');
  return new CriaError('STORAGE_FAILED', `cannot write ${path}: ${why}; free space or permit writing there`, {
    context: { path, why },
    cause: error,
  });
}
