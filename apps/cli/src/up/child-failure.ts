// What a child said before it ended, as an error of our own.
import { readFileSync } from 'node:fs';
import { CriaError } from '@cria/runtime';
import { describeExit, POLICY, type Exit, type Place } from '../decide/supervise.js';
import { lastWords } from './last-words.js';

const TAIL_CHARACTERS = 20_000;

/** The child's own last words, else what its exit says; the log is named in any case. */
export function childFailure(place: Place, exit: Exit, logFile: string): CriaError {
  const isHopeless = exit.code === POLICY.hopelessCode;
  const times = isHopeless ? '' : ` ${place.quickFailures} times in a row without a step in between`;
  const end = `${place.id} ended${times}, the last time with ${describeExit(exit)} (${logFile})`;
  const { code, sentence } = lastWords(readTail(logFile));
  const said = sentence === '' ? '' : `${sentence}\n`;
  return new CriaError(isHopeless && code !== null ? code : 'CHILD_FAILED', `${said}${end}`);
}

function readTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-TAIL_CHARACTERS);
  } catch {
    return '';
  }
}
