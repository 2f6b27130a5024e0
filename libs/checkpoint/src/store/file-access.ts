// Positional reads and writes that do all of it or fail: the system calls may do a part.
import type { FileHandle } from 'node:fs/promises';
import { CriaError } from '@cria/runtime';
import type { ReadableFile } from './checkpoint-store.js';
import { storageFailure } from './storage-failure.js';

/** Linux moves at most 2 GiB a call; smaller pieces also keep other work on the thread pool alive. */
const CALL_BYTES = 64 << 20;

/** Writes all bytes at a position; works beyond 2 GiB. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) {
    const length = Math.min(CALL_BYTES, bytes.byteLength - done);
    const { bytesWritten } = await handle.write(bytes, done, length, position + done);
    done += bytesWritten;
  }
}

/** A file on disk behind the port. Closing is the caller's. */
export function readableFile(handle: FileHandle, name: string, sizeBytes: number): ReadableFile {
  return {
    name,
    sizeBytes,
    read: (into, position) => readFully(handle, name, into, position),
    close: () => handle.close(),
  };
}

async function readFully(
  handle: FileHandle,
  name: string,
  into: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < into.byteLength;) {
    const length = Math.min(CALL_BYTES, into.byteLength - done);
    const { bytesRead } = await handle.read(into, done, length, position + done).catch((error: unknown) => {
      throw storageFailure(`cannot read ${name}`, error);
    });
    if (bytesRead === 0) {
      throw new CriaError(
        'CHECKPOINT_CORRUPT',
        `${name} ends at byte ${position + done}, in the middle of a tensor`,
        {
          context: { file: name, position: position + done },
        },
      );
    }
    done += bytesRead;
  }
}
