// An append-only file of JSON lines that may end anywhere: what a process killed while writing left of its last line is
// cut away by the next one that writes.
import type { FileHandle } from 'node:fs/promises';
import { AppendFile } from './append-file.js';
import type { AppendOptions } from './append-file.js';

const NEWLINE = 0x0a;
const TAIL_CHUNK_BYTES = 64 * 1024;

export class JsonLinesFile<T> {
  readonly #file: AppendFile;

  private constructor(file: AppendFile) {
    this.#file = file;
  }

  /** @throws STORAGE_FAILED naming the path when it cannot be opened */
  static async open<T>(path: string, options: AppendOptions = {}): Promise<JsonLinesFile<T>> {
    return new JsonLinesFile<T>(await AppendFile.open(path, wholeLinesBytes, options));
  }

  get path(): string {
    return this.#file.path;
  }

  /** Lines that a disk in trouble has cost so far. */
  get droppedLines(): number {
    return this.#file.droppedRecords;
  }

  /** Appends one line soon; numbers that are not finite become null (as JSON has it). Never throws. */
  append(value: T): void {
    this.#file.append(Buffer.from(`${JSON.stringify(value)}\n`));
  }

  /** Waits until all that was appended has been handed to the system, or has failed. */
  flush(): Promise<void> {
    return this.#file.flush();
  }

  close(): Promise<void> {
    return this.#file.close();
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
