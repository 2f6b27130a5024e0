// Writes a token directory: documents.bin, tokens.bin (its header last), manifest.json, each synced, then one rename.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '@cria/runtime';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import {
  BYTES_PER_DOCUMENT_END,
  BYTES_PER_TOKEN,
  DOCUMENTS_FILE,
  HEADER_BYTES,
  TOKENS_FILE,
  encodeHeader,
} from './header.js';
import { HashedFile } from './hashed-file.js';
import { MANIFEST_FILE, encodeManifest } from './manifest.js';
import type { TokenManifest } from './manifest.js';
import { StagingDirectory } from './staging-directory.js';

/** What the writer cannot know and the manifest has to say. */
export type Provenance = Pick<
  TokenManifest,
  'recipe' | 'textBytes' | 'emptyDocuments' | 'inputs' | 'inputCount'
>;

/**
 * A token directory in the making.
 *
 * Order: append() and endDocument() as often as needed, then commit() or discard(). Until commit() returns, nothing
 * exists under the directory's name.
 */
export class TokenDirectoryWriter {
  tokens = 0;
  documents = 0;
  readonly #tokenizer: Tokenizer;
  readonly #staging: StagingDirectory;
  readonly #tokensFile: HashedFile;
  readonly #documentsFile: HashedFile;

  private constructor(
    tokenizer: Tokenizer,
    staging: StagingDirectory,
    files: { tokens: HashedFile; documents: HashedFile },
  ) {
    this.#tokenizer = tokenizer;
    this.#staging = staging;
    this.#tokensFile = files.tokens;
    this.#documentsFile = files.documents;
  }

  static async create(target: string, tokenizer: Tokenizer): Promise<TokenDirectoryWriter> {
    assert(tokenizer.vocabSize <= 2 ** (8 * BYTES_PER_TOKEN), 'a token id fits into 16 bits');
    const staging = await StagingDirectory.create(target);
    const tokens = await HashedFile.create(join(staging.path, TOKENS_FILE), HEADER_BYTES);
    const documents = await HashedFile.create(join(staging.path, DOCUMENTS_FILE));
    return new TokenDirectoryWriter(tokenizer, staging, { tokens, documents });
  }

  /** Appends tokens to the current document. */
  async append(ids: Uint16Array): Promise<void> {
    this.tokens += ids.length;
    await this.#tokensFile.append(littleEndianBytes(ids));
  }

  /** Appends end-of-text and closes the document. */
  async endDocument(): Promise<void> {
    await this.append(Uint16Array.of(this.#tokenizer.endOfText));
    this.documents++;
    const end = Buffer.allocUnsafe(BYTES_PER_DOCUMENT_END);
    end.writeBigUInt64LE(BigInt(this.tokens));
    await this.#documentsFile.append(end);
  }

  async commit(provenance: Provenance): Promise<TokenManifest> {
    const header = {
      tokenizerId: this.#tokenizer.id,
      vocabSize: this.#tokenizer.vocabSize,
      endOfText: this.#tokenizer.endOfText,
      tokens: this.tokens,
      documents: this.documents,
      sha256: await this.#tokensFile.finish(),
      documentsSha256: await this.#documentsFile.finish(),
    };
    const manifest: TokenManifest = { format: 'cria-tokens', version: 1, ...header, ...provenance };
    await this.#documentsFile.syncAndClose();
    await this.#tokensFile.writeAt(encodeHeader(header), 0);
    await this.#tokensFile.syncAndClose();
    await this.#writeManifest(manifest);
    await this.#staging.commit();
    return manifest;
  }

  /** Removes everything; harmless after `commit`. */
  async discard(): Promise<void> {
    await this.#tokensFile.abandon();
    await this.#documentsFile.abandon();
    await this.#staging.discard();
  }

  async #writeManifest(manifest: TokenManifest): Promise<void> {
    const handle = await open(join(this.#staging.path, MANIFEST_FILE), 'wx');
    try {
      await handle.writeFile(encodeManifest(manifest));
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}

function littleEndianBytes(ids: Uint16Array): Uint8Array {
  assert(
    new Uint8Array(Uint16Array.of(1).buffer)[0] === 1,
    'this machine is little-endian, like token files',
  );
  return new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
}
