// Text of others in a terminal: a run's name or a worker's host may hold anything, and an escape sequence in it could
// move the cursor, change the title or answer in the reader's place.

/** Control and format characters (escape, bidi overrides, lone surrogates), line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** The text with a space for every character that is not drawn. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, ' ');
}

/** The same for a terminal without UTF-8: what ASCII does not have is a question mark. */
export function printableAscii(text: string): string {
  return printable(text).replace(/[^ -~]/gu, '?');
}
