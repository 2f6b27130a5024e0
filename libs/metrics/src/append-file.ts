// A file that only grows, for records that a run must never wait for or fail by. A write that fails (a full disk) does
// not reach the caller: the records are kept, up to a bound, and tried again with the next one; what a failed or a killed
// writer left half done is cut away before anything is written behind it. Until its first record a writer changes
// nothing, so that a coordinator that only stands by does not touch the file of the one that leads.
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CriaError } from '@cria/runtime';

/** At 500 bytes a record, about 5 MB of memory while a disk is full. */
const MAX_PENDING_RECORDS = 10_000;

export interface AppendOptions {
  /** Told once when writing starts to fail, and with null when it works again. */
  readonly onTrouble?: (error: CriaError | null) => void;
  /** Told when a record that was cut off has been cut away: how many bytes. */
  readonly onRepair?: (bytes: number) => void;
}

export class AppendFile {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #wholeBytes: (handle: FileHandle) => Promise<number>;
  readonly #onRepair: (bytes: number) => void;
  readonly #onTrouble: (error: CriaError | null) => void;
  #pending: Buffer[] = [];
  #writing: Promise<void> | null = null;
  #unrepaired = true;
  #failing = false;
  #droppedRecords = 0;

  private constructor(
    path: string,
    handle: FileHandle,
    wholeBytes: (handle: FileHandle) => Promise<number>,
    options: AppendOptions,
  ) {
    this.path = path;
    this.#handle = handle;
    this.#wholeBytes = wholeBytes;
    this.#onRepair = options.onRepair ?? (() => undefined);
    this.#onTrouble = options.onTrouble ?? (() => undefined);
  }

  /**
   * Opens for appending, making the file and its directory where they are missing.
   *
   * @param wholeBytes how many bytes from the start are whole records; the rest is cut away before the first write
   * @throws STORAGE_FAILED naming the path
   */
  static async open(
    path: string,
    wholeBytes: (handle: FileHandle) => Promise<number>,
    options: AppendOptions = {},
  ): Promise<AppendFile> {
    try {
      await mkdir(dirname(path), { recursive: true });
      return new AppendFile(path, await open(path, 'a+'), wholeBytes, options);
    } catch (error) {
      throw new CriaError('STORAGE_FAILED', `${path} cannot be opened for appending`, { cause: error });
    }
  }

  /** Records that a disk in trouble has cost so far. */
  get droppedRecords(): number {
    return this.#droppedRecords;
  }

  /** Appends one record soon. Never throws. */
  append(record: Buffer): void {
    this.#pending.push(record);
    this.#writing ??= this.#writePending();
  }

  /** Waits until all that was appended has been handed to the system, or has failed. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#handle.close();
  }

  async #writePending(): Promise<void> {
    while (this.#pending.length > 0) {
      const records = this.#pending;
      this.#pending = [];
      if (!(await this.#write(records))) break;
    }
    this.#writing = null;
  }

  async #write(records: Buffer[]): Promise<boolean> {
    try {
      await this.#repair();
      this.#unrepaired = true;
      await writeFully(this.#handle, Buffer.concat(records));
      this.#unrepaired = false;
      if (this.#failing) this.#onTrouble(null);
      this.#failing = false;
      return true;
    } catch (error) {
      this.#keep(records);
      // A full disk still lets go of bytes: nobody who reads the file meanwhile finds half a record.
      await this.#cutTail().catch(() => 0);
      const trouble = `${this.path} cannot be written; its records are kept in memory until it can`;
      if (!this.#failing) this.#onTrouble(new CriaError('STORAGE_FAILED', trouble, { cause: error }));
      this.#failing = true;
      return false;
    }
  }

  /** Cuts away what a writer that died or failed has left behind the last whole record. */
  async #repair(): Promise<void> {
    if (!this.#unrepaired) return;
    const bytes = await this.#cutTail();
    if (bytes > 0) this.#onRepair(bytes);
  }

  /** @returns how many bytes stood behind the last whole record */
  async #cutTail(): Promise<number> {
    const whole = await this.#wholeBytes(this.#handle);
    const { size } = await this.#handle.stat();
    if (whole >= size) return 0;
    await this.#handle.truncate(whole);
    return size - whole;
  }

  #keep(records: Buffer[]): void {
    const kept = [...records, ...this.#pending];
    this.#pending = kept.slice(-MAX_PENDING_RECORDS);
    this.#droppedRecords += kept.length - this.#pending.length;
  }
}

async function writeFully(handle: FileHandle, bytes: Buffer): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await handle.write(bytes, done)).bytesWritten;
}
