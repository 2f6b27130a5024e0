// Tags and a note that people give a run: notes.json in its directory.
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CriaError } from '@cria/runtime';
import type { Notes } from '../http/run-view.js';

export const NOTES_FILE = 'notes.json';

const NO_NOTES: Notes = { tags: [], note: '' };

/** None where the file is missing or damaged. */
export function readNotes(directory: string): Notes {
  try {
    const { tags, note } = JSON.parse(readFileSync(join(directory, NOTES_FILE), 'utf8')) as Record<
      string,
      unknown
    >;
    return {
      tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
      note: typeof note === 'string' ? note : '',
    };
  } catch {
    return NO_NOTES;
  }
}

/** @throws STORAGE_FAILED */
export async function writeNotes(directory: string, notes: Notes): Promise<void> {
  const path = join(directory, NOTES_FILE);
  try {
    await writeFile(`${path}.tmp`, `${JSON.stringify(notes, null, 2)}\n`);
    await rename(`${path}.tmp`, path);
  } catch (cause) {
    throw new CriaError('STORAGE_FAILED', `${path} cannot be written: ${String(cause)}`, { cause });
  }
}
