// Documents as a stream of parts, so that neither a file nor a document has to fit into memory.
import { CriaError } from '@cria/runtime';

/** A stretch of a document's text; a document is the parts up to and including one with `endsDocument`. */
export interface TextPart {
  readonly text: string;
  readonly endsDocument: boolean;
}

/** Longest line of a .jsonl file; a line is one document and has to be parsed whole. */
const LINE_BYTES_MAX = 256 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * A .txt file: one document in as many parts as chunks.
 *
 * Errors: DATA_CORRUPT when it is not UTF-8.
 */
export async function* textFileParts(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<TextPart> {
  const decoder = new TextDecoder('utf-8', { fatal: true }); // takes a byte order mark away
  for await (const chunk of chunks) {
    yield { text: decode(decoder, chunk, { path, stream: true }), endsDocument: false };
  }
  yield { text: decode(decoder, undefined, { path, stream: false }), endsDocument: true };
}

/**
 * A .jsonl file: one document a line, in `field`. Blank lines are passed over.
 *
 * Errors, naming file and line: DATA_CORRUPT for a line that is not JSON, not an object, not UTF-8, or whose field is not
 * a string; CONFIG_INVALID when the field is missing, listing those that are there.
 */
export async function* jsonLinesParts(
  path: string,
  chunks: AsyncIterable<Buffer>,
  field: string,
): AsyncGenerator<TextPart> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lineNumber = 0;
  for await (const line of byteLines(path, chunks)) {
    const place = `${path}:${++lineNumber}`;
    const json = decode(decoder, line, { path: place, stream: false });
    if (json.trim() === '') continue;
    yield { text: textOf(json, field, place), endsDocument: true };
  }
}

async function* byteLines(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const tail = chunk.subarray(start, end);
      yield pendingBytes === 0 ? tail : Buffer.concat([...pending, tail]);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    pending.push(chunk.subarray(start));
    pendingBytes += chunk.length - start;
    if (pendingBytes > LINE_BYTES_MAX) {
      throw new CriaError(
        'DATA_CORRUPT',
        `${path} has a line of more than ${LINE_BYTES_MAX} bytes: not JSON lines?`,
      );
    }
  }
  if (pendingBytes > 0) yield Buffer.concat(pending);
}

function textOf(json: string, field: string, place: string): string {
  const record = parseObject(json, place);
  const text = record[field];
  if (typeof text === 'string') return text;
  if (text === undefined) {
    const fields = Object.keys(record).join(', ');
    throw new CriaError(
      'CONFIG_INVALID',
      `${place}: the record has no field "${field}" (it has: ${fields || 'none'}); name the one with the text: --field NAME.`,
    );
  }
  throw new CriaError('DATA_CORRUPT', `${place}: the field "${field}" is not a string.`);
}

function parseObject(json: string, place: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new CriaError('DATA_CORRUPT', `${place} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new CriaError('DATA_CORRUPT', `${place} is not a JSON object.`);
}

function decode(
  decoder: InstanceType<typeof TextDecoder>,
  bytes: Buffer | undefined,
  options: { path: string; stream: boolean },
): string {
  try {
    return decoder.decode(bytes, { stream: options.stream });
  } catch (cause) {
    throw new CriaError(
      'DATA_CORRUPT',
      `${options.path} is not UTF-8. Convert it first, for example: iconv -f latin1 -t utf-8.`,
      { cause },
    );
  }
}
