// Finds the files that `cria data prepare` reads. Directories are walked in the order of their paths' UTF-16 units, which is
// the same on every machine, because the order of documents is part of the data.
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { CriaError, systemCode } from '@cria/runtime';

export type TextFormat = 'txt' | 'jsonl';
export type Compression = 'none' | 'gzip' | 'zstd';

export interface InputFile {
  readonly path: string;
  /** For people: the input's base name, and the path within it if it is a directory. */
  readonly name: string;
  readonly format: TextFormat;
  readonly compression: Compression;
  readonly sizeBytes: number;
}

const KNOWN = '.txt, .jsonl, .txt.gz, .jsonl.gz, .jsonl.zst';

/**
 * The files behind the inputs, in order.
 *
 * Errors: CONFIG_INVALID for an input that does not exist or is of no known kind; DATA_EMPTY when directories hold no
 * file of a known kind.
 */
export async function findInputs(inputs: readonly string[]): Promise<InputFile[]> {
  const found: InputFile[] = [];
  for (const input of inputs) found.push(...(await findInput(input)));
  if (found.length > 0) return found;
  throw new CriaError('DATA_EMPTY', `${inputs.join(', ') || 'no input'}: no file to read (known: ${KNOWN}).`);
}

async function findInput(input: string): Promise<InputFile[]> {
  const facts = await statOf(input);
  if (!facts.isDirectory()) {
    const file = describe(input, basename(input), facts.size);
    if (file !== null) return [file];
    throw new CriaError('CONFIG_INVALID', `${input} is of no kind that Cria reads (known: ${KNOWN}).`);
  }
  const entries = await readdir(input, { recursive: true });
  const files: InputFile[] = [];
  for (const entry of entries.map((name) => name.split(sep).join('/')).sort()) {
    const path = join(input, entry);
    const entryFacts = await statOf(path);
    const file = entryFacts.isFile() ? describe(path, `${basename(input)}/${entry}`, entryFacts.size) : null;
    if (file !== null) files.push(file);
  }
  return files;
}

function describe(path: string, name: string, sizeBytes: number): InputFile | null {
  const match = /\.(txt|jsonl)(\.gz|\.zst)?$/i.exec(path);
  if (match === null) return null;
  const [, format, suffix] = match;
  return {
    path,
    name,
    sizeBytes,
    format: format?.toLowerCase() === 'txt' ? 'txt' : 'jsonl',
    compression: suffix === undefined ? 'none' : suffix.toLowerCase() === '.gz' ? 'gzip' : 'zstd',
  };
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause;
    throw new CriaError('CONFIG_INVALID', `${path} does not exist.`, { cause });
  }
}
