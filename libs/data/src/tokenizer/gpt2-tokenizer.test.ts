import { Rng } from '@cria/runtime';
import { get_encoding } from 'tiktoken';
import { afterAll, describe, expect, it } from 'vitest';
import { Gpt2Tokenizer, gpt2Tokenizer } from './gpt2-tokenizer.js';
import { gpt2Vocabulary } from './gpt2-vocabulary.js';

const tokenizer = gpt2Tokenizer();
const oracle = get_encoding('gpt2');
afterAll(() => oracle.free());

const TRICKY = [
  '',
  ' ',
  '  ',
  '\n\n\n a\t\tb  \n',
  "it's they're we'll I'd I'm you've CAN'T 'S ''s 'sx don''t '",
  'constructor __proto__ toString hasOwnProperty',
  'naïve café — “quotes” … 12³ ½ Ⅷ',
  '漢字かな交じり文、한국어 العربية हिन्दी',
  '👩‍👩‍👧‍👦 👍🏽 🇱🇺 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙',
  'a\u00a0b\u0085c\u1680d\u2028e\ufeff f\u200bg\u3000h',
  '\ufeffbyte order mark',
  'line\r\nbreak\r\rx\u000b\u000c\u001c\u001f y',
  '<|endoftext|> and <|endoftext|>',
  'x'.repeat(300) + ' '.repeat(300) + '!'.repeat(300) + '1'.repeat(300),
  'e\u0301 combining, \u0000 zero',
];

function oracleIds(text: string): number[] {
  return Array.from(oracle.encode_ordinary(text));
}

/** Text of runs from different alphabets, so that every kind of boundary comes up. */
function randomText(rng: Rng, runs: number): string {
  const alphabets = [
    'abcdefgh',
    'ABC',
    ' ',
    ' \n\t',
    '0123',
    "'",
    "'s're'll've'd'm't",
    '.,!?-',
    'éßж漢',
    '🙂𝔘',
    '\u0085\ufeff\u00a0',
  ];
  let text = '';
  for (let run = 0; run < runs; run++) {
    const alphabet = Array.from(alphabets[rng.below(alphabets.length)]);
    for (let left = 1 + rng.below(5); left > 0; left--) text += alphabet[rng.below(alphabet.length)];
  }
  return text;
}

describe('the GPT-2 tokenizer', () => {
  it.each(TRICKY)('gives the ids of tiktoken and back the text: %j', (text) => {
    const ids = tokenizer.encode(text);
    expect(Array.from(ids)).toEqual(oracleIds(text));
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.tokenCount(text)).toBe(ids.length);
  });

  it('gives the ids of tiktoken for 2,000 random texts', () => {
    const rng = new Rng(1);
    for (let round = 0; round < 2000; round++) {
      const text = randomText(rng, 12);
      expect(Array.from(tokenizer.encode(text)), JSON.stringify(text)).toEqual(oracleIds(text));
    }
  });

  it('gives the ids of tiktoken for every character of the basic plane between letters and blanks', () => {
    for (let block = 0; block < 0x1_0000; block += 0x100) {
      if (block >= 0xd800 && block < 0xe000) continue; // surrogates are no characters
      const points = Array.from({ length: 0x100 }, (_, at) => String.fromCodePoint(block + at));
      const known = points.filter((point) => !/\p{Cn}/u.test(point)); // Unicode versions differ in what is assigned
      const text = known.map((point) => `a${point}b ${point}  1${point}`).join('');
      expect(Array.from(tokenizer.encode(text)), block.toString(16)).toEqual(oracleIds(text));
    }
  });

  it('merges a long run without white space like tiktoken', () => {
    const rng = new Rng(2);
    const text = Array.from({ length: 3000 }, () => String.fromCharCode(97 + rng.below(26))).join('');
    expect(Array.from(tokenizer.encode(text))).toEqual(oracleIds(text));
  });

  it('encodes a text longer than its scratch space the first time it is asked', () => {
    const text = 'many words '.repeat(20_000);
    expect(Array.from(new Gpt2Tokenizer(gpt2Vocabulary()).encode(text))).toEqual(oracleIds(text));
  });

  it('forgets and learns anew when its cache is full', () => {
    const words = Array.from({ length: 300_000 }, (_, at) => ` w${at.toString(36)}`);
    const text = words.join('');
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids)).toBe(text);
    for (const part of [words.slice(0, 2000), words.slice(-2000)].map((some) => some.join(''))) {
      expect(Array.from(tokenizer.encode(part))).toEqual(oracleIds(part));
    }
  });

  it('returns ids that a later call does not overwrite', () => {
    const first = tokenizer.encode('one two three');
    const copy = Array.from(first);
    tokenizer.encode('four five six seven');
    expect(Array.from(first)).toEqual(copy);
  });

  it('never takes text for the end-of-text token', () => {
    const ids = tokenizer.encode('<|endoftext|>');
    expect(ids).toHaveLength(7);
    expect(ids).not.toContain(tokenizer.endOfText);
    expect(tokenizer.endOfText).toBe(50_256);
    expect(tokenizer.decode([tokenizer.endOfText])).toBe('<|endoftext|>');
  });

  it('replaces lone surrogates by U+FFFD', () => {
    expect(tokenizer.decode(tokenizer.encode('a\ud800b\udc00'))).toBe('a\ufffdb\ufffd');
    expect(Array.from(tokenizer.encode('a\ud800b'))).toEqual(oracleIds('a\ufffdb'));
  });

  it('decodes an id of the padding rows to U+FFFD', () => {
    expect(tokenizer.decode([50_257, 50_303])).toBe('\ufffd\ufffd');
  });
});

describe('the stream decoder', () => {
  it('holds a character back until its last token has come', () => {
    const text = 'Luxembourg 🇱🇺 漢字 👩‍👩‍👧‍👦.';
    const ids = tokenizer.encode(text);
    const decoder = tokenizer.streamDecoder();
    const pieces = Array.from(ids, (id) => decoder.push(id));
    expect(pieces.join('') + decoder.end()).toBe(text);
    expect(pieces).toContain(''); // some tokens end inside a character
    expect(pieces.join('')).not.toContain('\ufffd');
  });

  it('ends a character that never came with U+FFFD', () => {
    const [first] = tokenizer.encode('🙂');
    const decoder = tokenizer.streamDecoder();
    expect(decoder.push(first)).toBe('');
    expect(decoder.end()).toBe('\ufffd');
  });
});

describe('a safe cut', () => {
  it('changes no token, whatever comes after the text', () => {
    const rng = new Rng(3);
    let cuts = 0;
    for (let round = 0; round < 2000; round++) {
      const text = randomText(rng, 8);
      const after = randomText(rng, 2);
      const cut = tokenizer.lastSafeCut(text);
      if (cut > 0) cuts++;
      const parts = [...tokenizer.encode(text.slice(0, cut)), ...tokenizer.encode(text.slice(cut) + after)];
      expect(parts, JSON.stringify([text, after, cut])).toEqual(Array.from(tokenizer.encode(text + after)));
    }
    expect(cuts).toBeGreaterThan(1000);
  });

  it('is the last place before white space', () => {
    expect(tokenizer.lastSafeCut('one two  three')).toBe(7);
    expect(tokenizer.lastSafeCut('  one')).toBe(0);
    expect(tokenizer.lastSafeCut('one')).toBe(0);
  });
});
