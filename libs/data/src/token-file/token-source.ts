// Random access to a token directory by positional reads: memory does not grow with the corpus.
import { open, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { CriaError, assert, systemCode } from '@cria/runtime';
import {
  BYTES_PER_DOCUMENT_END,
  BYTES_PER_TOKEN,
  DOCUMENTS_FILE,
  HEADER_BYTES,
  TOKENS_FILE,
  corrupt,
  decodeHeader,
} from './header.js';
import type { TokenFileHeader } from './header.js';
import { GPT2_TOKENIZER_ID } from '../tokenizer/gpt2-vocabulary.js';

export class TokenSource {
  readonly directory: string;
  readonly header: TokenFileHeader;
  readonly #tokens: FileHandle;
  readonly #documents: FileHandle;

  private constructor(
    directory: string,
    header: TokenFileHeader,
    files: { tokens: FileHandle; documents: FileHandle },
  ) {
    this.directory = directory;
    this.header = header;
    this.#tokens = files.tokens;
    this.#documents = files.documents;
  }

  /**
   * Opens a directory that `cria data prepare` wrote; checks header and sizes, not the payload (`verifyTokens` does).
   *
   * Errors: CONFIG_INVALID when nothing is there or the tokenizer is unknown; DATA_CORRUPT for another format, a damaged header, or a file that is
   * shorter or longer than its header says (`expectedBytes`, `actualBytes`).
   */
  static async open(directory: string): Promise<TokenSource> {
    const tokens = await openFile(directory, TOKENS_FILE);
    let documents: FileHandle | null = null;
    try {
      const path = join(directory, TOKENS_FILE);
      const header = decodeHeader(await readExactly(tokens, 0, HEADER_BYTES), path);
      checkTokenizer(header, path);
      await checkSize(tokens, path, HEADER_BYTES + header.tokens * BYTES_PER_TOKEN);
      documents = await openFile(directory, DOCUMENTS_FILE);
      const documentsBytes = header.documents * BYTES_PER_DOCUMENT_END;
      await checkSize(documents, join(directory, DOCUMENTS_FILE), documentsBytes);
      return new TokenSource(directory, header, { tokens, documents });
    } catch (error) {
      await tokens.close();
      await documents?.close();
      throw error;
    }
  }

  /** Tokens [start, start + count). */
  async read(start: number, count: number): Promise<Uint16Array> {
    assert(
      start >= 0 && start + count <= this.header.tokens,
      `tokens ${start} to ${start + count} lie in the file`,
    );
    const ids = new Uint16Array(count);
    const bytes = new Uint8Array(ids.buffer);
    const read = await readInto(this.#tokens, bytes, HEADER_BYTES + start * BYTES_PER_TOKEN);
    if (read === bytes.length) return ids;
    throw corrupt(`${join(this.directory, TOKENS_FILE)} became shorter while it was open`, {
      expectedBytes: bytes.length,
      actualBytes: read,
    });
  }

  /** Tokens up to and including document `index`'s end-of-text; 0 for index -1. */
  async documentEnd(index: number): Promise<number> {
    if (index < 0) return 0;
    assert(index < this.header.documents, `document ${index} exists`);
    const entry = await readExactly(this.#documents, index * BYTES_PER_DOCUMENT_END, BYTES_PER_DOCUMENT_END);
    if (entry.length === BYTES_PER_DOCUMENT_END) return Number(entry.readBigUInt64LE());
    throw corrupt(`${join(this.directory, DOCUMENTS_FILE)} became shorter while it was open`);
  }

  /** Number of documents that end at or before token `token`: the index of the document that holds it. */
  async documentAt(token: number): Promise<number> {
    let low = 0;
    let high = this.header.documents;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.documentEnd(middle)) <= token) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async close(): Promise<void> {
    await this.#tokens.close();
    await this.#documents.close();
  }
}

/** Up to `count` bytes; fewer only at the end of the file. */
async function readExactly(handle: FileHandle, position: number, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  return bytes.subarray(0, await readInto(handle, bytes, position));
}

async function readInto(handle: FileHandle, bytes: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}

function checkTokenizer(header: TokenFileHeader, path: string): void {
  if (header.tokenizerId === GPT2_TOKENIZER_ID) return;
  const sentence = `${path} was made with the tokenizer "${header.tokenizerId}"; this Cria knows "${GPT2_TOKENIZER_ID}"`;
  throw new CriaError('CONFIG_INVALID', `${sentence}. Prepare the text again with \`cria data prepare\`.`);
}

async function checkSize(handle: FileHandle, path: string, expectedBytes: number): Promise<void> {
  const { size: actualBytes } = await handle.stat();
  if (actualBytes === expectedBytes) return;
  const how = actualBytes < expectedBytes ? 'cut short' : 'too long';
  const sentence = `${path} is ${how}: ${expectedBytes} bytes expected, ${actualBytes} found`;
  throw corrupt(sentence, { expectedBytes, actualBytes });
}

async function openFile(directory: string, name: string): Promise<FileHandle> {
  try {
    return await open(join(directory, name), 'r');
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT' && systemCode(cause) !== 'ENOTDIR') throw cause;
    if (name !== TOKENS_FILE) throw corrupt(`${join(directory, name)} is missing`);
    const exists = await stat(directory).then(
      () => true,
      () => false,
    );
    throw new CriaError(
      'CONFIG_INVALID',
      exists
        ? `${directory} holds no token file (${TOKENS_FILE}); make one with \`cria data prepare INPUT... --out DIR\`.`
        : `${directory} does not exist; make it with \`cria data prepare INPUT... --out ${directory}\`.`,
      { cause },
    );
  }
}
