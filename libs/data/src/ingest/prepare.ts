// `cria data prepare`: text files in, a token directory out; memory does not depend on the size of the input.
import { readdir } from 'node:fs/promises';
import { CriaError, systemCode } from '@cria/runtime';
import { TokenDirectoryWriter } from '../token-file/writer.js';
import { INPUTS_LISTED_MAX } from '../token-file/manifest.js';
import type { InputFacts, TokenManifest } from '../token-file/manifest.js';
import { occupied } from '../token-file/staging-directory.js';
import { gpt2Tokenizer } from '../tokenizer/gpt2-tokenizer.js';
import { byteChunks } from './byte-chunks.js';
import { DocumentEncoder } from './document-encoder.js';
import { findInputs } from './inputs.js';
import type { InputFile } from './inputs.js';
import { jsonLinesParts, textFileParts } from './text-parts.js';
import type { TextPart } from './text-parts.js';

export interface PrepareProgress {
  /** The input being read. */
  readonly input: string;
  /** Bytes read from disk, compressed where the input is. */
  readonly readBytes: number;
  readonly totalBytes: number;
  readonly documents: number;
  readonly tokens: number;
}

export interface PrepareControl {
  /** Aborting it leaves nothing behind and rejects with its reason. */
  readonly signal?: AbortSignal;
  /** Called about once a megabyte and at the end. */
  readonly onProgress?: (progress: PrepareProgress) => void;
}

export interface PrepareOptions extends PrepareControl {
  /** Files (.txt, .jsonl, also .gz) and directories of such files. */
  readonly inputs: readonly string[];
  /** The directory to make; its name must be free, or an empty directory. */
  readonly outDir: string;
  /** Field of a JSON line that holds the text. @default 'text' */
  readonly field?: string;
}

/** A corpus that `writeTokens` can read from front to back. */
export interface Corpus {
  /** For messages. */
  readonly name: string;
  readonly recipe: string | null;
  readonly totalBytes: number;
  /** Inputs in order, each with its documents. */
  inputs(readBytes: (bytes: number) => void): Iterable<CorpusInput>;
}

export interface CorpusInput {
  readonly name: string;
  parts(): AsyncIterable<TextPart> | Iterable<TextPart>;
}

/**
 * Tokenizes text files: every document's tokens, then end-of-text.
 *
 * Errors: CONFIG_INVALID, DATA_EMPTY or DATA_CORRUPT naming file and line and the remedy; RUN_EXISTS when `outDir` is
 * not free; STORAGE_FAILED when it cannot be written. After any of them `outDir` does not exist.
 */
export async function prepare(options: PrepareOptions): Promise<TokenManifest> {
  await expectFree(options.outDir);
  const files = await findInputs(options.inputs);
  const field = options.field ?? 'text';
  const corpus: Corpus = {
    name: options.inputs.join(', '),
    recipe: null,
    totalBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    inputs: (onBytesRead) =>
      files.map((file) => ({
        name: file.name,
        parts: () => partsOf(file, field, byteChunks(file, { onBytesRead, signal: options.signal })),
      })),
  };
  return writeTokens(corpus, options.outDir, options);
}

/** Writes a corpus to a token directory; see {@link prepare}. */
export async function writeTokens(
  corpus: Corpus,
  outDir: string,
  control: PrepareControl,
): Promise<TokenManifest> {
  const tokenizer = gpt2Tokenizer();
  const writer = await asStorageFailure(outDir, TokenDirectoryWriter.create(outDir, tokenizer));
  try {
    const encoder = new DocumentEncoder(tokenizer, writer);
    const inputs = await encodeAll(corpus, { encoder, writer, control });
    if (writer.documents === 0) {
      throw new CriaError(
        'DATA_EMPTY',
        `${corpus.name}: no document has any text (${encoder.emptyDocuments} empty ones); name inputs with text.`,
      );
    }
    return await writer.commit({
      recipe: corpus.recipe,
      textBytes: encoder.textBytes,
      emptyDocuments: encoder.emptyDocuments,
      inputs: inputs.listed,
      inputCount: inputs.count,
    });
  } catch (error) {
    throw storageFailure(outDir, error);
  } finally {
    await writer.discard();
  }
}

interface EncodingTask {
  readonly encoder: DocumentEncoder;
  readonly writer: TokenDirectoryWriter;
  readonly control: PrepareControl;
}

async function encodeAll(
  corpus: Corpus,
  task: EncodingTask,
): Promise<{ listed: InputFacts[]; count: number }> {
  const { encoder, writer, control } = task;
  const listed: InputFacts[] = [];
  let count = 0;
  let readBytes = 0;
  let reportedBytes = 0;
  const report = (input: string): void => {
    const { documents, tokens } = writer;
    control.onProgress?.({ input, readBytes, totalBytes: corpus.totalBytes, documents, tokens });
    reportedBytes = readBytes;
  };
  for (const input of corpus.inputs((bytes) => (readBytes += bytes))) {
    const { documents, tokens } = writer;
    for await (const part of input.parts()) {
      control.signal?.throwIfAborted();
      await encoder.take(part, input.name);
      if (readBytes - reportedBytes >= PROGRESS_EVERY_BYTES) report(input.name);
    }
    count++;
    if (listed.length < INPUTS_LISTED_MAX) {
      listed.push({
        name: input.name,
        documents: writer.documents - documents,
        tokens: writer.tokens - tokens,
      });
    }
    report(input.name);
  }
  return { listed, count };
}

const PROGRESS_EVERY_BYTES = 1024 * 1024;

function partsOf(file: InputFile, field: string, chunks: AsyncIterable<Buffer>): AsyncIterable<TextPart> {
  return file.format === 'txt' ? textFileParts(file.path, chunks) : jsonLinesParts(file.path, chunks, field);
}

/** Before hours of work, not after. */
async function expectFree(outDir: string): Promise<void> {
  const entries = await readdir(outDir).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    if (systemCode(error) === 'ENOTDIR') throw occupied(outDir, error);
    throw error;
  });
  if (entries.length > 0) throw occupied(outDir);
}

async function asStorageFailure<T>(outDir: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw storageFailure(outDir, error);
  }
}

/** A system error (disk full, no permission) becomes STORAGE_FAILED; everything else stays as it is. */
function storageFailure(outDir: string, error: unknown): unknown {
  if (CriaError.is(error) || !/^E(?!RR_)/.test(systemCode(error) ?? '')) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CriaError('STORAGE_FAILED', `preparing ${outDir} failed: ${message}`, { cause: error });
}
