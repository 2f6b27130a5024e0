// Cuts text into the pieces within which bytes are merged. The published regular expression, matched from left to right:
//
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// written out by hand, because a regular expression costs about as much as everything else together. White space is
// Unicode's White_Space, as in OpenAI's tokenizers; JavaScript's `\s` differs from it in U+0085 and U+FEFF.

const LETTER = 1;
const NUMBER = 2;
const SPACE = 3;
const OTHER = 4;

const APOSTROPHE = 0x27;
const BLANK = 0x20;

/** Kind of every code point; 0 = not asked for yet. */
const KINDS = new Uint8Array(0x11_0000);
for (let code = 0; code < 0x80; code++) KINDS[code] = classify(code);

/**
 * End (exclusive) of the piece that starts at `start`.
 *
 * Order: `start` is 0 or the end of the piece before, and less than the text's length.
 */
export function pieceEnd(text: string, start: number): number {
  const code = text.charCodeAt(start);
  if (code === APOSTROPHE) {
    const end = contractionEnd(text, start);
    if (end > start) return end;
  }
  // ` ?` before letters, numbers or others: the blank belongs to the run after it.
  const bodyStart = code === BLANK ? start + 1 : start;
  if (bodyStart < text.length) {
    const kind = kindAt(text, bodyStart);
    if (kind !== SPACE) return runEnd(text, bodyStart, kind);
  }
  return spaceEnd(text, start);
}

/**
 * The last place between something visible and white space: no piece reaches over it and no look-ahead sees across it,
 * so that both sides may be cut into pieces on their own. 0 if there is none.
 */
export function lastSafeCut(text: string): number {
  for (let at = text.length - 1; at > 0; at--) {
    // Every white space character is a single UTF-16 unit, so units serve for code points here.
    if (unitKind(text, at) === SPACE && unitKind(text, at - 1) !== SPACE) return at;
  }
  return 0;
}

function unitKind(text: string, at: number): number {
  return kindOf(text.charCodeAt(at));
}

/** `'s`, `'t`, `'m`, `'d`, `'re`, `'ve`, `'ll`, in lower case only; `start` if none is there. */
function contractionEnd(text: string, start: number): number {
  switch (text[start + 1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return start + 2;
    case 'r':
    case 'v':
      return text[start + 2] === 'e' ? start + 3 : start;
    case 'l':
      return text[start + 2] === 'l' ? start + 3 : start;
    default:
      return start;
  }
}

/** `\s+(?!\S)|\s+`: the whole run at the end of the text, else all but its last character, but at least one. */
function spaceEnd(text: string, start: number): number {
  const end = runEnd(text, start, SPACE);
  return end === text.length || end === start + 1 ? end : end - 1;
}

function runEnd(text: string, start: number, kind: number): number {
  let at = start;
  while (at < text.length) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) {
      if (KINDS[unit] !== kind) return at;
      at++;
    } else {
      if (kindAt(text, at) !== kind) return at;
      at += isPair(text, at) ? 2 : 1;
    }
  }
  return at;
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff;
}

function kindAt(text: string, at: number): number {
  return kindOf(text.codePointAt(at) ?? 0);
}

function kindOf(codePoint: number): number {
  const known = KINDS[codePoint];
  if (known !== 0) return known;
  return (KINDS[codePoint] = classify(codePoint));
}

function classify(codePoint: number): number {
  const character = String.fromCodePoint(codePoint);
  if (/\p{L}/u.test(character)) return LETTER;
  if (/\p{N}/u.test(character)) return NUMBER;
  if (/\p{White_Space}/u.test(character)) return SPACE;
  return OTHER;
}
