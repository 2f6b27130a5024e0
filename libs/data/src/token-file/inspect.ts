// What `cria data inspect` shows.
import { gpt2Tokenizer } from '../tokenizer/gpt2-tokenizer.js';
import type { TokenFileHeader } from './header.js';
import { readManifest } from './manifest.js';
import type { TokenManifest } from './manifest.js';
import { TokenSource } from './token-source.js';

const SAMPLE_TOKENS_MAX = 200;

export interface TokenDirectoryFacts extends TokenFileHeader {
  readonly directory: string;
  /** Mean length of a document, its end-of-text token included. */
  readonly tokensPerDocument: number;
  /** Beginning of the first document. */
  readonly sample: string;
  /** What the text was made from; null when manifest.json is missing. */
  readonly manifest: TokenManifest | null;
}

/** Facts of a token directory; reads the header and the first document only. Errors: as `TokenSource.open`. */
export async function inspectTokens(directory: string): Promise<TokenDirectoryFacts> {
  const source = await TokenSource.open(directory);
  try {
    const { header } = source;
    const firstDocumentTokens = (await source.documentEnd(0)) - 1; // without end-of-text
    const sample = await source.read(0, Math.min(firstDocumentTokens, SAMPLE_TOKENS_MAX));
    return {
      directory,
      ...header,
      tokensPerDocument: header.tokens / header.documents,
      sample: gpt2Tokenizer().decode(sample),
      manifest: await readManifest(directory),
    };
  } finally {
    await source.close();
  }
}
