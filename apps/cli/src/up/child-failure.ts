// What a child said before it ended, as an error of our own.
import { readFileSync } from 'node:fs';
import { CriaError } from '@cria/runtime';
import { describeExit, POLICY, type Exit, type Place } from '../decide/supervise.js';
import { lastWords } from './last-words.js';

const TAIL_CHARACTERS = 20_000;

export interface FailurePlace {
  readonly outDir: string;
  readonly logFile: string;
  /** Why nothing can be written into `outDir` now (`ENOSPC`); null when it can. */
  readonly refusal: string | null;
}

/**
 * The child's own last words, else what its exit says; the log is named in any case. A disk that refuses comes first:
 * it has cut the last words off too, which are read from a file there.
 */
export function childFailure(
  place: Place,
  exit: Exit,
  { outDir, logFile, refusal }: FailurePlace,
): CriaError {
  const isHopeless = exit.code === POLICY.hopelessCode;
  const times = isHopeless ? '' : ` ${place.quickFailures} times in a row without a step in between`;
  const end = `${place.id} ended${times}, the last time with ${describeExit(exit)} (${logFile})`;
  if (refusal !== null && !isHopeless) return diskFailure(outDir, refusal, end);
  const { code, sentence } = lastWords(readTail(logFile));
  const said = sentence === '' ? '' : `${sentence}\n`;
  return new CriaError(isHopeless && code !== null ? code : 'CHILD_FAILED', `${said}${end}`);
}

function diskFailure(outDir: string, refusal: string, end: string): CriaError {
  const isFull = refusal === 'ENOSPC' || refusal === 'EDQUOT';
  const what = isFull ? `the disk of ${outDir} is full` : `the disk of ${outDir} cannot be written`;
  const remedy = isFull ? 'free space' : 'permit writing there';
  const goOn = `then \`cria up --out ${outDir} --resume\` goes on from the newest checkpoint`;
  return new CriaError('STORAGE_FAILED', `${what} (${refusal}): ${remedy}, ${goOn}\n${end}`, {
    context: { path: outDir, why: refusal },
  });
}

function readTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-TAIL_CHARACTERS);
  } catch {
    return '';
  }
}
