// The bytes of an input file, decompressed, a chunk at a time.
import { createReadStream } from 'node:fs';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream';
import * as zlib from 'node:zlib';
import { CriaError } from '@cria/runtime';
import type { InputFile } from './inputs.js';

const CHUNK_BYTES = 1024 * 1024;

/** Not in the types of Node 20; there from Node 22.15 on. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };

export interface ChunkOptions {
  /** Told of compressed bytes read from disk. */
  readonly onBytesRead: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a file from front to back.
 *
 * Errors: DATA_CORRUPT naming the file when its compressed stream is cut short or damaged; ENVIRONMENT_MISSING for zstd
 * on a Node without it; the signal's reason when it aborts.
 */
export async function* byteChunks(file: InputFile, options: ChunkOptions): AsyncGenerator<Buffer> {
  const decompressor = decompressorFor(file);
  const raw = createReadStream(file.path, { highWaterMark: CHUNK_BYTES });
  raw.on('data', (chunk) => options.onBytesRead(chunk.length));
  // pipeline destroys both ends on an error of either, which the loop then throws.
  const stream = decompressor === null ? raw : pipeline(raw, decompressor, () => undefined);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      options.signal?.throwIfAborted();
      yield chunk;
    }
  } catch (cause) {
    if (decompressor === null || !isDecompressionError(cause)) throw cause;
    throw new CriaError(
      'DATA_CORRUPT',
      `${file.path} is cut short or damaged: ${(cause as Error).message}. Fetch or compress it again.`,
      { cause },
    );
  } finally {
    raw.destroy();
    decompressor?.destroy();
  }
}

function decompressorFor(file: InputFile): Transform | null {
  if (file.compression === 'none') return null;
  if (file.compression === 'gzip') return zlib.createGunzip({ chunkSize: CHUNK_BYTES });
  if (createZstdDecompress !== undefined) return createZstdDecompress();
  throw new CriaError(
    'ENVIRONMENT_MISSING',
    `${file.path}: this Node reads no zstd (22.15 and later do). Decompress it first: zstd -d ${file.path}`,
  );
}

function isDecompressionError(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code.startsWith('Z_') || code.startsWith('ZSTD_') || code === 'ERR_STREAM_PREMATURE_CLOSE';
}
