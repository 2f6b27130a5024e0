// The processes' own logs, a page at a time: pino's JSON lines, and whatever else a process wrote when it died. A cursor is a place
// in the file, so that a page that follows a log reads no byte twice.
import { open, readdir, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { HttpProblem } from './http-problem.js';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogQuery {
  /** A source's name or a worker's id; null: the first source. */
  readonly worker: string | null;
  readonly level: LogLevel;
  readonly after: number | null;
  readonly limit: number;
}

export interface LogSource {
  readonly name: string;
  readonly worker: string | null;
  readonly sizeBytes: number;
  readonly updatedWallMs: number;
}

export interface LogLine {
  readonly wallMs: number | null;
  readonly level: LogLevel | null;
  readonly text: string;
  readonly step: number | null;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface LogPage {
  readonly sources: readonly LogSource[];
  readonly source: string | null;
  readonly lines: readonly LogLine[];
  readonly next: string;
  readonly more: boolean;
}

const PAGE_BYTES = 1 << 20;
const TAIL_BYTES = 16 * 1024;
const NEWLINE = 0x0a;
/** What pino writes in every line. */
const EVERY_LINE = new Set(['pid', 'hostname', 'name']);

export async function readLogPage(
  directory: string | null,
  query: LogQuery,
  members: ReadonlyArray<{ readonly id: string; readonly pid: number }>,
): Promise<LogPage> {
  const sources = directory === null ? [] : await sourcesIn(directory, members);
  const wanted = query.worker;
  const source =
    wanted === null ? sources[0] : sources.find(({ name, worker }) => name === wanted || worker === wanted);
  if (source === undefined || directory === null) {
    if (wanted === null) return { sources, source: null, lines: [], next: '0', more: false };
    const names = sources.map(({ name }) => name).join(', ') || 'none';
    throw new HttpProblem(404, 'NOT_FOUND', `no log of "${wanted}" here; there are ${names}`);
  }
  const file = await open(join(directory, `${source.name}.log`), 'r');
  try {
    return { sources, source: source.name, ...(await pageOf(file, query)) };
  } finally {
    await file.close();
  }
}

async function sourcesIn(
  directory: string,
  members: ReadonlyArray<{ readonly id: string; readonly pid: number }>,
): Promise<LogSource[]> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith('.log')).sort();
  const sources = names.map(async (file): Promise<LogSource | null> => {
    const path = join(directory, file);
    const facts = await stat(path).catch(() => null);
    if (facts === null || !facts.isFile()) return null;
    const pid = members.length === 0 ? null : await pidOf(path);
    return {
      name: file.slice(0, -'.log'.length),
      worker: members.find((member) => member.pid === pid)?.id ?? null,
      sizeBytes: facts.size,
      updatedWallMs: facts.mtimeMs,
    };
  });
  return (await Promise.all(sources)).filter((source) => source !== null);
}

/** Of the process that wrote the newest line. */
async function pidOf(path: string): Promise<number | null> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const text = (await bytesAt(file, Math.max(0, size - TAIL_BYTES), TAIL_BYTES)).toString('utf8');
    const [, digits] = [...text.matchAll(/"pid":(\d+)/g)].at(-1) ?? [];
    return digits === undefined ? null : Number(digits);
  } finally {
    await file.close();
  }
}

async function pageOf(file: FileHandle, query: LogQuery): Promise<Pick<LogPage, 'lines' | 'next' | 'more'>> {
  const { size } = await file.stat();
  const follows = query.after !== null && query.after <= size;
  const start = follows ? (query.after as number) : Math.max(0, size - PAGE_BYTES);
  const bytes = await bytesAt(file, start, PAGE_BYTES);
  // The tail begins in the middle of a line, and the last line may still be written.
  const first = follows || start === 0 ? 0 : bytes.indexOf(NEWLINE) + 1;
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  const lines: Array<{ line: LogLine; end: number }> = [];
  for (let at = first; at < end;) {
    const stop = bytes.indexOf(NEWLINE, at) + 1;
    const line = parseLogLine(bytes.toString('utf8', at, stop - 1));
    if (line !== null && isAtLeast(line, query.level)) lines.push({ line, end: start + stop });
    at = stop;
  }
  const shown = follows ? lines.slice(0, query.limit) : lines.slice(-query.limit);
  const isCut = follows && lines.length > shown.length;
  const next = isCut ? (shown.at(-1)?.end ?? start) : start + end;
  return {
    lines: shown.map(({ line }) => line),
    next: String(next),
    more: isCut || (end > 0 && start + bytes.length < size),
  };
}

function parseLogLine(text: string): LogLine | null {
  if (text.trim() === '') return null;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = null;
  }
  if (typeof json !== 'object' || json === null || !('level' in json)) {
    return { wallMs: null, level: null, text, step: null, fields: {} };
  }
  const { level, time, msg, step, ...rest } = json as Record<string, unknown>;
  const fields = Object.fromEntries(Object.entries(rest).filter(([key]) => !EVERY_LINE.has(key)));
  const wallMs = typeof time === 'string' ? Date.parse(time) : typeof time === 'number' ? time : NaN;
  return {
    wallMs: Number.isFinite(wallMs) ? wallMs : null,
    level: LOG_LEVELS[Math.round(Number(level) / 10) - 1] ?? null,
    text: typeof msg === 'string' ? msg : '',
    step: typeof step === 'number' ? step : null,
    fields,
  };
}

/** What is no log line is what a process said when it died: always shown. */
function isAtLeast({ level }: LogLine, least: LogLevel): boolean {
  return level === null || LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(least);
}

async function bytesAt(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, start);
  return bytes.subarray(0, bytesRead);
}
