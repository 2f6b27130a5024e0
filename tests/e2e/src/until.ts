// Waiting for another process's doing: files and process tables tell nobody when they change.
const POLL_MS = 25;

/** Resolves with the first value that is not null or false. Throws, naming `what`, after `timeoutMs`. */
export async function until<T>(
  what: string,
  look: () => T | null | false | Promise<T | null | false>,
  timeoutMs = 30_000,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
