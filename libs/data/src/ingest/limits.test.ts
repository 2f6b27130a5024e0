import { describe, expect, it } from 'vitest';
import { gpt2Tokenizer } from '../tokenizer/gpt2-tokenizer.js';
import { DocumentEncoder } from './document-encoder.js';
import { jsonLinesParts } from './text-parts.js';

const MEBIBYTE = 1024 * 1024;

async function* repeated(chunk: Buffer, times: number): AsyncGenerator<Buffer> {
  for (let round = 0; round < times; round++) yield chunk;
}

describe('what would need unbounded memory', () => {
  it('is refused: a line of more than 256 MiB', async () => {
    const lines = jsonLinesParts('endless.jsonl', repeated(Buffer.alloc(MEBIBYTE, 'a'), 257), 'text');
    await expect(lines.next()).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringContaining('endless.jsonl has a line of more than') as string,
    });
  });

  it('is refused: a document without white space in 64 million characters', async () => {
    const writer = { append: () => Promise.resolve(), endDocument: () => Promise.resolve() };
    const encoder = new DocumentEncoder(gpt2Tokenizer(), writer);
    const part = { text: 'a'.repeat(32 * MEBIBYTE), endsDocument: false };
    await encoder.take(part, 'dna.txt');
    await encoder.take(part, 'dna.txt');
    await expect(encoder.take(part, 'dna.txt')).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringContaining('dna.txt has no white space in') as string,
    });
  });
});
