// The only place that reads ambient time and randomness (lint enforces it).
import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.js';

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  timer(delayMs, fire) {
    const handle = setTimeout(fire, delayMs);
    return { cancel: () => clearTimeout(handle), unref: () => void handle.unref() };
  },
};

/** A random lower-case hexadecimal id of `sizeBytes` bytes. */
export function randomId(sizeBytes = 8): string {
  return randomBytes(sizeBytes).toString('hex');
}
