// What every process's main does: exit codes, signals, the last line before the end.
import { AssertionError } from '../assert.js';
import { CriaError } from '../errors.js';

export const EXIT = { done: 0, failed: 1, usage: 2, assertion: 70, sigint: 130, sigterm: 143 } as const;

/** The exit code that CONTRACT assigns to an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof AssertionError) return EXIT.assertion;
  return CriaError.is(error) && error.action === 'fix-config' ? EXIT.usage : EXIT.failed;
}

/** `[CODE] sentence` for operating errors, the stack for broken assumptions. */
export function describeError(error: unknown): string {
  if (CriaError.is(error)) return `[${error.code}] ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * A signal that aborts on the first SIGINT or SIGTERM (`reason` is the exit code to use).
 * A second signal ends the process at once.
 */
export function signalsToAbort(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (exitCode: number) => () => {
    if (controller.signal.aborted) process.exit(exitCode);
    controller.abort(exitCode);
  };
  process.on('SIGINT', onSignal(EXIT.sigint));
  process.on('SIGTERM', onSignal(EXIT.sigterm));
  return controller.signal;
}

/** A broken assumption or an unhandled rejection ends the process: nothing may go on half-broken. */
export function exitOnUnhandled(): void {
  const end = (error: unknown): void => {
    process.stderr.write(`${describeError(error)}\n`);
    process.exit(exitCodeOf(error));
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
