// Reads JSON lines that may be damaged: a bad line is reported and left out, and the rest is read.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { CriaError, systemCode } from '@cria/runtime';

export interface BadLine {
  /** Counts from 1, as editors do. */
  readonly line: number;
  readonly reason: string;
}

export interface JsonLinesReading<T> {
  readonly path: string;
  /** The value, or one sentence that says what is wrong. */
  readonly parse: (json: unknown) => T | string;
  readonly onValue: (value: T) => void;
}

/**
 * Hands every good line to `onValue`, in order; a file that is not there has no lines.
 *
 * @returns the lines that were left out, a cut-off last one among them
 * @throws STORAGE_FAILED when the file is there and cannot be read
 */
export async function readJsonLines<T>(reading: JsonLinesReading<T>): Promise<readonly BadLine[]> {
  const bad: BadLine[] = [];
  let line = 0;
  try {
    const input = createReadStream(reading.path);
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      line++;
      if (text.trim() === '') continue;
      const value = parseLine(text, reading.parse);
      if (typeof value === 'string') bad.push({ line, reason: value });
      else reading.onValue(value.parsed);
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return bad;
    throw new CriaError('STORAGE_FAILED', `${reading.path} cannot be read`, { cause: error });
  }
  return bad;
}

function parseLine<T>(text: string, parse: (json: unknown) => T | string): { parsed: T } | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'not a whole JSON value (cut off while it was written?)';
  }
  const parsed = parse(json);
  return typeof parsed === 'string' ? parsed : { parsed };
}
