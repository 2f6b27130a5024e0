// What a process said on stderr before it ended.
import { ERROR_ACTIONS, type ErrorCode } from '@cria/runtime';

export interface LastWords {
  /** null when it said no operating error of ours. */
  readonly code: ErrorCode | null;
  /** Empty when there is nothing worth repeating. */
  readonly sentence: string;
}

/** The last `cria: [CODE] sentence`, else the last line that names an error. */
export function lastWords(text: string): LastWords {
  const [, code = '', sentence = ''] = [...text.matchAll(/^(?:cria: )?\[([A-Z_]+)\] (.*)$/gm)].at(-1) ?? [];
  if (code in ERROR_ACTIONS) return { code: code as ErrorCode, sentence };
  const [, line = ''] = [...text.matchAll(/^(?:cria: )?(\w*Error\b.*)$/gm)].at(-1) ?? [];
  return { code: null, sentence: line };
}
