// What a stream can show, read once from the stream and its environment: overwriting and colours (a terminal that is
// not "dumb"), and signs beyond ASCII.

/** The part of a terminal stream that is used; `process.stdout` is one. */
export interface ConsoleStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  on?(event: 'resize', listener: () => void): unknown;
  off?(event: 'resize', listener: () => void): unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** ANSI styles, or nothing where colour is not wanted. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
}

/** Signs with their ASCII stand-ins, all one cell wide. */
export interface Glyphs {
  readonly bullet: string;
  readonly attention: string;
  readonly barDone: string;
  readonly barLeft: string;
  readonly ellipsis: string;
}

export interface TerminalStyle {
  /** Lines can be drawn over. */
  readonly live: boolean;
  readonly unicode: boolean;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

const sgr = (code: string) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;
const plain = (text: string): string => text;

export const COLOURS: Paint = {
  bold: sgr('1'),
  dim: sgr('2'),
  good: sgr('32'),
  warn: sgr('33'),
  bad: sgr('1;31'),
};
export const NO_COLOURS: Paint = { bold: plain, dim: plain, good: plain, warn: plain, bad: plain };

export const UNICODE_GLYPHS: Glyphs = {
  bullet: '·',
  attention: '▲',
  barDone: '━',
  barLeft: '─',
  ellipsis: '…',
};
export const ASCII_GLYPHS: Glyphs = {
  bullet: '*',
  attention: '!',
  barDone: '=',
  barLeft: '-',
  ellipsis: '~',
};

/** @param env `process.env`; NO_COLOR (any value but an empty one) turns colours off, TERM=dumb also overwriting */
export function terminalStyle(stream: ConsoleStream, env: Environment): TerminalStyle {
  const live = stream.isTTY === true && env.TERM !== 'dumb';
  const unicode = showsUnicode(stream, env);
  return {
    live,
    unicode,
    paint: live && !env.NO_COLOR ? COLOURS : NO_COLOURS,
    glyphs: unicode ? UNICODE_GLYPHS : ASCII_GLYPHS,
  };
}

/**
 * The locale decides, in the order that POSIX gives; none at all (most containers) is taken for UTF-8, for terminals
 * without it have become rare. The Linux console has UTF-8 but no glyphs beyond a few hundred.
 */
function showsUnicode(stream: ConsoleStream, env: Environment): boolean {
  if (stream.isTTY === true && (env.TERM === 'linux' || env.TERM === 'dumb')) return false;
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  return locale === undefined || /utf-?8/i.test(locale);
}
