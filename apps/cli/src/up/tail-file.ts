// Follows a file of JSON lines that other processes append to.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '@cria/runtime';

export class TailFile {
  readonly #path: string;
  #offset = 0;
  /** A line whose end is not written yet. */
  #rest = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
  }

  /** Skips what is there now. */
  skipToEnd(): void {
    this.read();
  }

  /** The whole lines appended since the last call; none while there is no file. */
  read(): string[] {
    // Reading may find that the rest was cut off, so it comes first.
    const added = this.#readOn();
    const bytes = Buffer.concat([this.#rest, added]);
    const end = bytes.lastIndexOf(0x0a) + 1;
    this.#rest = bytes.subarray(end);
    const lines = bytes.toString('utf8', 0, end).split('\n');
    return lines.filter((line) => line !== '');
  }

  #readOn(): Buffer {
    const file = openIfThere(this.#path);
    if (file === null) return Buffer.alloc(0);
    try {
      const { size } = fstatSync(file);
      // Somebody repaired its end: what was cut off was no whole line.
      if (size < this.#offset) [this.#offset, this.#rest] = [size, Buffer.alloc(0)];
      const bytes = Buffer.alloc(size - this.#offset);
      const count = readSync(file, bytes, 0, bytes.length, this.#offset);
      this.#offset += count;
      return bytes.subarray(0, count);
    } finally {
      closeSync(file);
    }
  }
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}
