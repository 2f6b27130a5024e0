// Time is passed in: everything that waits takes a Clock, so that a simulator can own it.

export interface Timer {
  cancel(): void;
  /** A process that has nothing else to do may end before it fires. */
  unref?(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch; for display and records only. */
  wallMs(): number;
  /** Monotonic milliseconds; for everything that is measured or waited for. */
  monotonicMs(): number;
  /** Calls `fire` once after `delayMs`. */
  timer(delayMs: number, fire: () => void): Timer;
}

/** Resolves after `delayMs`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.timer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
