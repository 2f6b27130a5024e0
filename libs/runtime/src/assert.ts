// Broken assumptions: a bug in Cria itself. Nobody catches them; the process exits with code 70.

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws {@link AssertionError} unless the condition holds; the sentence says what was assumed. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new AssertionError(sentence);
}

/** Marks the branch of a union that cannot be reached. */
export function unreachable(value: never, sentence = 'unhandled case'): never {
  throw new AssertionError(`${sentence}: ${JSON.stringify(value)}`);
}

/** The value, or an assertion failure naming what was missing. */
export function present<T>(value: T | null | undefined, what: string): T {
  assert(value !== null && value !== undefined, `${what} is missing`);
  return value;
}
