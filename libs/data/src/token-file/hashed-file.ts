// A file that is written once from front to back, hashed on the way, through one buffer of fixed size.
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';

const BUFFER_BYTES = 1024 * 1024;

export class HashedFile {
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #buffered = 0;
  #position: number;

  private constructor(handle: FileHandle, start: number) {
    this.#handle = handle;
    this.#position = start;
  }

  /** Creates the file; what is appended begins at byte `start`, what lies before it is zero until `writeAt`. */
  static async create(path: string, start = 0): Promise<HashedFile> {
    return new HashedFile(await open(path, 'wx'), start);
  }

  /** Appends; the bytes are copied before this returns. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const count = Math.min(bytes.length - at, BUFFER_BYTES - this.#buffered);
      this.#buffer.set(bytes.subarray(at, at + count), this.#buffered);
      this.#buffered += count;
      at += count;
      if (this.#buffered === BUFFER_BYTES) await this.#flush();
    }
  }

  /** SHA-256, in hexadecimal, of everything appended. Nothing may be appended afterwards. */
  async finish(): Promise<string> {
    await this.#flush();
    return this.#hash.digest('hex');
  }

  /** Overwrites bytes in front of the start; not hashed. */
  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    await this.#handle.write(bytes, 0, bytes.length, position);
  }

  async syncAndClose(): Promise<void> {
    await this.#handle.sync();
    await this.#handle.close();
  }

  /** Closes without any promise about what is on the disk; harmless after `syncAndClose`. */
  async abandon(): Promise<void> {
    await this.#handle.close().catch(() => undefined); // already closed
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered);
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, at, bytes.length - at, this.#position);
      at += bytesWritten;
      this.#position += bytesWritten;
    }
    this.#buffered = 0;
  }
}
