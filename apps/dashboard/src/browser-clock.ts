// The only file of the page that reads ambient time (libs/runtime, whose clock the rest of Cria takes, is for Node).
/* eslint-disable no-restricted-globals, no-restricted-properties */

export function nowMs(): number {
  return Date.now();
}

/** Calls `fire` once; returns how to call it off. */
export function after(delayMs: number, fire: () => void): () => void {
  const handle = setTimeout(fire, delayMs);
  return () => clearTimeout(handle);
}

/** Calls `fire` again and again; returns how to stop. */
export function every(periodMs: number, fire: () => void): () => void {
  const handle = setInterval(fire, periodMs);
  return () => clearInterval(handle);
}
