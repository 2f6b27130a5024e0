// Reads a whole token directory and compares it with what its header promises.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { BYTES_PER_DOCUMENT_END, DOCUMENTS_FILE, HEADER_BYTES, TOKENS_FILE, corrupt } from './header.js';
import type { TokenFileHeader } from './header.js';
import { TokenSource } from './token-source.js';

const CHUNK_BYTES = 1024 * 1024;

export interface VerifyOptions {
  readonly signal?: AbortSignal;
}

/**
 * Verifies sizes, both hashes, and that document ends rise up to the token count.
 *
 * Cost: one read of all bytes, bound by SHA-256 (about 1 GB/s with hardware support) or the disk.
 * Errors: as `TokenSource.open`; DATA_CORRUPT naming the file whose content differs.
 */
export async function verifyTokens(directory: string, options: VerifyOptions = {}): Promise<TokenFileHeader> {
  const source = await TokenSource.open(directory);
  await source.close();
  const { header } = source;
  const ends = new RisingEnds();
  const tokensPath = join(directory, TOKENS_FILE);
  const documentsPath = join(directory, DOCUMENTS_FILE);
  await expectHash(header.documentsSha256, documentsPath, {
    ...options,
    start: 0,
    seen: (c) => ends.take(c),
  });
  if (!ends.rise || ends.last !== header.tokens) {
    throw corrupt(`${documentsPath} does not list document ends that rise to ${header.tokens} tokens`);
  }
  await expectHash(header.sha256, tokensPath, { ...options, start: HEADER_BYTES });
  return header;
}

interface HashOptions extends VerifyOptions {
  readonly start: number;
  readonly seen?: (chunk: Buffer) => void;
}

async function expectHash(expected: string, path: string, options: HashOptions): Promise<void> {
  const hash = createHash('sha256');
  const stream = createReadStream(path, { start: options.start, highWaterMark: CHUNK_BYTES });
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    options.signal?.throwIfAborted();
    hash.update(chunk);
    options.seen?.(chunk);
  }
  const found = hash.digest('hex');
  if (found === expected) return;
  throw corrupt(`${path} has been changed: its SHA-256 is ${found}, its header says ${expected}`);
}

/** Checks the entries of documents.bin as they come by; chunks hold whole entries, their size being a multiple. */
class RisingEnds {
  rise = true;
  last = 0;

  take(chunk: Buffer): void {
    for (let at = 0; at + BYTES_PER_DOCUMENT_END <= chunk.length; at += BYTES_PER_DOCUMENT_END) {
      const end = Number(chunk.readBigUInt64LE(at));
      if (end <= this.last) this.rise = false;
      this.last = end;
    }
  }
}
