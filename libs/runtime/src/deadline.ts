import type { Clock } from './clock.js';
import { CriaError } from './errors.js';

/**
 * The promise's outcome, or DEADLINE_EXCEEDED (retry) naming `what` after `timeoutMs`.
 * The work itself goes on: hand it the signal too where it can be stopped.
 */
export function withDeadline<T>(
  clock: Clock,
  promise: Promise<T>,
  options: { timeoutMs: number; what: string; signal?: AbortSignal },
): Promise<T> {
  const { timeoutMs, what, signal } = options;
  return new Promise<T>((resolve, reject) => {
    const settle = (act: () => void): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    const timer = clock.timer(timeoutMs, () => {
      const error = new CriaError('DEADLINE_EXCEEDED', `${what} took longer than ${timeoutMs} ms`, {
        context: { timeoutMs },
      });
      settle(() => reject(error));
    });
    const onAbort = (): void => settle(() => reject(signal?.reason));
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
