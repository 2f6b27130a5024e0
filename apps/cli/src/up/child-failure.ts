// What a child said before it ended, as an error of our own.
import { readFileSync } from 'node:fs';
import { CriaError, ERROR_ACTIONS, type ErrorCode } from '@cria/runtime';
import { describeExit, POLICY, type Exit, type Place } from '../decide/supervise.js';

const TAIL_CHARACTERS = 20_000;

/** The child's own last words, else what its exit says; the log is named in any case. */
export function childFailure(place: Place, exit: Exit, logFile: string): CriaError {
  const isHopeless = exit.code === POLICY.hopelessCode;
  const times = isHopeless ? '' : ` ${place.quickFailures} times in a row without a step in between`;
  const sentence = `${place.id} ended${times}, the last time with ${describeExit(exit)} (${logFile})`;
  const { code, words } = lastWords(readTail(logFile));
  const said = words === '' ? '' : `${words}\n`;
  return new CriaError(isHopeless && code !== null ? code : 'CHILD_FAILED', `${said}${sentence}`);
}

/** The last `cria: [CODE] sentence`, or the last line that names an error. */
function lastWords(text: string): { code: ErrorCode | null; words: string } {
  const [, code = '', sentence = ''] = [...text.matchAll(/^(?:cria: )?\[([A-Z_]+)\] (.*)$/gm)].at(-1) ?? [];
  if (code in ERROR_ACTIONS) return { code: code as ErrorCode, words: sentence };
  const [line = ''] = [...text.matchAll(/^\w*Error\b.*$/gm)].at(-1) ?? [];
  return { code: null, words: line };
}

function readTail(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-TAIL_CHARACTERS);
  } catch {
    return '';
  }
}
