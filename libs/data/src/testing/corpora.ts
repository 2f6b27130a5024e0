// What the tests of this package share: directories that go away, and small corpora.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepare } from '../ingest/prepare.js';

/** Runs `use` with an empty directory that is removed afterwards. */
export async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'cria-data-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A .jsonl file with one document a text. */
export async function writeJsonLines(path: string, texts: readonly string[]): Promise<string> {
  await writeFile(path, texts.map((text) => `${JSON.stringify({ text })}\n`).join(''));
  return path;
}

/** A token directory with one document a text; returns its path. */
export async function writeTokenDirectory(outDir: string, texts: readonly string[]): Promise<string> {
  await prepare({ inputs: [await writeJsonLines(`${outDir}.jsonl`, texts)], outDir });
  return outDir;
}

/** Text of `words` words, most of them one token each; differs from every other `number`'s. */
export function numberedText(number: number, words: number): string {
  return Array.from({ length: words }, (_, at) => `${number} ${at}`).join(' and ');
}
