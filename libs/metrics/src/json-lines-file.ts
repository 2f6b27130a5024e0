// An append-only file of JSON lines that may end anywhere: a process killed while writing leaves a cut-off last line,
// which the next open cuts away. A write that fails (a full disk) never reaches the caller of `append`, because a
// run goes on without its log; what was not written is kept, up to a bound, and tried again with the next line.
import { open, mkdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CriaError } from '@cria/runtime';

const NEWLINE = 0x0a;
const TAIL_CHUNK_BYTES = 64 * 1024;
/** At 500 bytes a line, about 5 MB of memory while a disk is full. */
const MAX_PENDING_LINES = 10_000;

export interface JsonLinesOptions {
  /** Told once when writing starts to fail, and with null when it works again. */
  readonly onTrouble?: (error: CriaError | null) => void;
}

export class JsonLinesFile<T> {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #onTrouble: (error: CriaError | null) => void;
  #sizeBytes: number;
  #pending: string[] = [];
  #writing: Promise<void> | null = null;
  #failing = false;
  #droppedLines = 0;

  private constructor(path: string, handle: FileHandle, sizeBytes: number, options: JsonLinesOptions) {
    this.path = path;
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
  }

  /**
   * Opens for appending, making the file and its directory where they are missing.
   *
   * @throws STORAGE_FAILED naming the path when it cannot be opened or repaired
   */
  static async open<T>(path: string, options: JsonLinesOptions = {}): Promise<JsonLinesFile<T>> {
    try {
      await mkdir(dirname(path), { recursive: true });
      const handle = await openForUpdate(path);
      const sizeBytes = await wholeLinesBytes(handle);
      await handle.truncate(sizeBytes);
      return new JsonLinesFile<T>(path, handle, sizeBytes, options);
    } catch (error) {
      throw new CriaError('STORAGE_FAILED', `${path} cannot be opened for appending`, { cause: error });
    }
  }

  /** Lines that a disk in trouble has cost so far. */
  get droppedLines(): number {
    return this.#droppedLines;
  }

  /** Appends one line soon; numbers that are not finite become null (as JSON has it). Never throws. */
  append(value: T): void {
    this.#pending.push(`${JSON.stringify(value)}\n`);
    if (this.#pending.length > MAX_PENDING_LINES) {
      this.#pending.shift();
      this.#droppedLines++;
    }
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
      const lines = this.#pending;
      this.#pending = [];
      if (!(await this.#write(lines))) break;
    }
    this.#writing = null;
  }

  /** Writes at the end of the whole lines, so that a failed write leaves nothing behind that is read. */
  async #write(lines: string[]): Promise<boolean> {
    const bytes = Buffer.from(lines.join(''));
    try {
      await writeFully(this.#handle, bytes, this.#sizeBytes);
      this.#sizeBytes += bytes.length;
      if (this.#failing) this.#onTrouble(null);
      this.#failing = false;
      return true;
    } catch (error) {
      this.#pending = [...lines, ...this.#pending];
      await this.#handle.truncate(this.#sizeBytes).catch(() => undefined);
      const trouble = `${this.path} cannot be written; its lines are kept in memory until it can`;
      if (!this.#failing) this.#onTrouble(new CriaError('STORAGE_FAILED', trouble, { cause: error }));
      this.#failing = true;
      return false;
    }
  }
}

/** `r+` and not `a`: appending mode ignores positions, and a failed write must be overwritten. */
async function openForUpdate(path: string): Promise<FileHandle> {
  const created = await open(path, 'a');
  await created.close();
  return open(path, 'r+');
}

async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Size up to and including the last newline, found from the end. */
async function wholeLinesBytes(handle: FileHandle): Promise<number> {
  const chunk = Buffer.alloc(TAIL_CHUNK_BYTES);
  let end = (await handle.stat()).size;
  while (end > 0) {
    const start = Math.max(0, end - TAIL_CHUNK_BYTES);
    const { bytesRead } = await handle.read(chunk, 0, end - start, start);
    const newline = chunk.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}
