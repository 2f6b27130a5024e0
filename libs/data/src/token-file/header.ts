// The header of tokens.bin, version 1. All integers are little-endian.
//
//   offset  bytes  field
//        0      8  magic: "CRIATOK" and a zero byte
//        8      4  version: 1
//       12      4  size of this header: 160
//       16     16  tokenizer's id in ASCII, padded with zero bytes: "gpt2"
//       32      4  vocabulary size
//       36      4  id of the end-of-text token
//       40      4  bytes per token: 2
//       44      4  zero
//       48      8  tokens
//       56      8  documents
//       64     32  SHA-256 of the payload (tokens.bin from byte 160 to its end)
//       96     32  SHA-256 of documents.bin
//      128     32  SHA-256 of the bytes 0 .. 127 of this header
//      160         payload: one unsigned 16-bit integer a token
//
// documents.bin has no header: for each document the number of tokens up to and including its end-of-text token, as an
// unsigned 64-bit integer. So document d is the tokens [end(d-1), end(d)), and the last entry is the token count.
import { createHash } from 'node:crypto';
import { CriaError } from '@cria/runtime';

export const TOKENS_FILE = 'tokens.bin';
export const DOCUMENTS_FILE = 'documents.bin';
export const HEADER_BYTES = 160;
export const BYTES_PER_TOKEN = 2;
export const BYTES_PER_DOCUMENT_END = 8;

const MAGIC = Buffer.from('CRIATOK\0', 'latin1');
const VERSION = 1;
const TOKENIZER_ID_BYTES = 16;
const SHA256_BYTES = 32;
const AT = {
  magic: 0,
  version: 8,
  headerBytes: 12,
  tokenizerId: 16,
  vocabSize: 32,
  endOfText: 36,
  bytesPerToken: 40,
  tokens: 48,
  documents: 56,
  sha256: 64,
  documentsSha256: 96,
  headerSha256: 128,
} as const;

/** What tokens.bin says about itself. */
export interface TokenFileHeader {
  readonly tokenizerId: string;
  readonly vocabSize: number;
  readonly endOfText: number;
  readonly tokens: number;
  readonly documents: number;
  /** SHA-256 of the payload, in hexadecimal. */
  readonly sha256: string;
  /** SHA-256 of documents.bin, in hexadecimal. */
  readonly documentsSha256: string;
}

export function encodeHeader(header: TokenFileHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes, AT.magic);
  bytes.writeUInt32LE(VERSION, AT.version);
  bytes.writeUInt32LE(HEADER_BYTES, AT.headerBytes);
  bytes.write(header.tokenizerId, AT.tokenizerId, TOKENIZER_ID_BYTES, 'latin1');
  bytes.writeUInt32LE(header.vocabSize, AT.vocabSize);
  bytes.writeUInt32LE(header.endOfText, AT.endOfText);
  bytes.writeUInt32LE(BYTES_PER_TOKEN, AT.bytesPerToken);
  bytes.writeBigUInt64LE(BigInt(header.tokens), AT.tokens);
  bytes.writeBigUInt64LE(BigInt(header.documents), AT.documents);
  bytes.write(header.sha256, AT.sha256, 'hex');
  bytes.write(header.documentsSha256, AT.documentsSha256, 'hex');
  digestOf(bytes).copy(bytes, AT.headerSha256);
  return bytes;
}

/**
 * Reads a header.
 *
 * Errors: DATA_CORRUPT, naming `path`, when the magic, the version or the header's own digest is not right.
 */
export function decodeHeader(bytes: Buffer, path: string): TokenFileHeader {
  if (bytes.length < HEADER_BYTES) {
    const context = { expectedBytes: HEADER_BYTES, actualBytes: bytes.length };
    throw corrupt(
      `${path} is cut short: ${bytes.length} bytes, the header alone has ${HEADER_BYTES}`,
      context,
    );
  }
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw corrupt(`${path} is not a token file of Cria: it does not begin with "CRIATOK"`);
  }
  const version = bytes.readUInt32LE(AT.version);
  if (version !== VERSION) {
    throw corrupt(`${path} has format version ${version}, this Cria reads version ${VERSION}`, { version });
  }
  const digest = bytes.subarray(AT.headerSha256, AT.headerSha256 + SHA256_BYTES);
  if (!digestOf(bytes).equals(digest))
    throw corrupt(`${path} has a damaged header: its SHA-256 is not right`);
  return {
    tokenizerId: bytes.toString('latin1', AT.tokenizerId, AT.vocabSize).replace(/\0+$/, ''),
    vocabSize: bytes.readUInt32LE(AT.vocabSize),
    endOfText: bytes.readUInt32LE(AT.endOfText),
    tokens: Number(bytes.readBigUInt64LE(AT.tokens)),
    documents: Number(bytes.readBigUInt64LE(AT.documents)),
    sha256: bytes.toString('hex', AT.sha256, AT.sha256 + SHA256_BYTES),
    documentsSha256: bytes.toString('hex', AT.documentsSha256, AT.documentsSha256 + SHA256_BYTES),
  };
}

/** DATA_CORRUPT with the remedy that fits every damaged token file. */
export function corrupt(sentence: string, context: Record<string, string | number> = {}): CriaError {
  return new CriaError('DATA_CORRUPT', `${sentence}. Prepare it again with \`cria data prepare\`.`, {
    context,
  });
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes.subarray(0, AT.headerSha256)).digest();
}
