// Reads ledger.jsonl as a stream. A process may die in the middle of a line, so a last line without
// its newline is no error: it is reported and left out. Every other flaw is LEDGER_CORRUPT.
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { CriaError, systemCode } from '@cria/runtime';
import type { LedgerEntry } from './entry.js';
import { parseLine } from './line.js';

const CHUNK_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/** A last line that was not written to its end. */
export interface CutOffLine {
  /** Counts from 1. */
  readonly line: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface ReadLedgerOptions {
  /** Called once, at the end, when the last line is cut off. */
  readonly onCutOff?: (line: CutOffLine) => void;
}

/**
 * The entries in order, parsed but not verified ({@link verifyChain} does that).
 *
 * @throws CriaError LEDGER_CORRUPT naming file, line and field; RUN_NOT_FOUND when there is no such file
 */
export async function* readLedger(
  path: string,
  options: ReadLedgerOptions = {},
): AsyncGenerator<LedgerEntry> {
  const file = await openLedger(path);
  try {
    yield* entriesOf(chunksOf(file, path), basename(path), options);
  } finally {
    await file.close();
  }
}

/**
 * The entries of a ledger that comes in pieces from anywhere.
 *
 * @param chunks the file's bytes, cut anywhere
 * @param name how errors call the file
 */
export async function* entriesOf(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  options: ReadLedgerOptions = {},
): AsyncGenerator<LedgerEntry> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let line = 1;
  for await (const chunk of chunks) {
    let bytes = Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE)) {
      yield parseLine(bytes.toString('utf8', 0, end), `${name} line ${line}`);
      bytes = bytes.subarray(end + 1);
      offset += end + 1;
      line++;
    }
    rest = bytes;
  }
  if (rest.length > 0) options.onCutOff?.({ line, offset, sizeBytes: rest.length });
}

/** {@link readLedger} into memory: about 1 KB an entry. */
export async function loadLedger(
  path: string,
): Promise<{ entries: LedgerEntry[]; cutOff: CutOffLine | null }> {
  const entries: LedgerEntry[] = [];
  let cutOff: CutOffLine | null = null;
  for await (const entry of readLedger(path, { onCutOff: (line) => (cutOff = line) })) entries.push(entry);
  return { entries, cutOff };
}

async function openLedger(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') {
      throw new CriaError('RUN_NOT_FOUND', `there is no ledger at ${path}; name a run's directory`, {
        context: { path },
        cause,
      });
    }
    throw readFailure(path, cause);
  }
}

async function* chunksOf(file: FileHandle, path: string): AsyncGenerator<Buffer> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    const bytesRead = await file.read(buffer, 0, CHUNK_BYTES, null).then(
      (result) => result.bytesRead,
      (cause: unknown) => {
        throw readFailure(path, cause);
      },
    );
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

function readFailure(path: string, cause: unknown): CriaError {
  return new CriaError('STORAGE_FAILED', `cannot read ${path}: ${systemCode(cause) ?? 'unknown error'}`, {
    context: { path },
    cause,
  });
}
