// Structured log: pino, JSON lines on stderr, so that stdout stays for results.
import pino from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
type Fields = Readonly<Record<string, unknown>>;

/** What a disk that is full does not take waits up to this size, and is written when it takes it again. */
const MAX_WAITING_BYTES = 1 << 20;

/** The part of pino that Cria uses; tests pass {@link silentLog}. */
export interface Log {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  child(fields: Fields): Log;
}

/**
 * A log that writes JSON lines to stderr (or to `file`, opened for appending). Its methods never throw.
 *
 * @param name the process's role, in every line
 */
export function createLog(options: { name: string; level?: LogLevel; file?: string }): Log {
  const dest = options.file ?? 2;
  const destination = pino.destination({ dest, sync: true, mkdir: true, maxLength: MAX_WAITING_BYTES });
  // A disk that is full must not end the process by way of its log: without a listener the write would throw.
  destination.on('error', () => undefined);
  return pino(
    { name: options.name, level: options.level ?? 'info', timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
}

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
