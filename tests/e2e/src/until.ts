// Waiting for another process's doing: files and process tables tell nobody when they change.
const POLL_MS = 25;

/** What was found, or nothing yet. */
export type Look<T> = T | null | undefined | false;

export interface Patience {
  readonly timeoutMs: number;
  /** Asked when there is nothing yet: true ends the wait, because it will never come. */
  readonly isHopeless?: () => boolean;
}

/** Resolves with the first value that is not null or false. Throws, naming `what`, when patience ends. */
export async function until<T>(
  what: string,
  look: () => Look<T> | Promise<Look<T>>,
  { timeoutMs, isHopeless = () => false }: Patience,
): Promise<T> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (isHopeless()) throw new Error(`it ended before ${what}`);
    if (performance.now() > deadlineMs) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
