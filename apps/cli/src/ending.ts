/** The action's result; null when the signal ended it, whatever the action threw on its way out. */
export async function ending<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}
