// Structured log: pino, JSON lines on stderr, so that stdout stays for results.
import pino from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
type Fields = Readonly<Record<string, unknown>>;

/** The part of pino that Cria uses; tests pass {@link silentLog}. */
export interface Log {
  debug(fields: Fields, message: string): void;
  info(fields: Fields, message: string): void;
  warn(fields: Fields, message: string): void;
  error(fields: Fields, message: string): void;
  child(fields: Fields): Log;
}

/**
 * A log that writes JSON lines to stderr (or to `file`, opened for appending).
 *
 * @param name the process's role, in every line
 */
export function createLog(options: { name: string; level?: LogLevel; file?: string }): Log {
  const destination = pino.destination({ dest: options.file ?? 2, sync: true, mkdir: true });
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
