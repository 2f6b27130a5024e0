import { copyFile, cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CriaError } from '@cria/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tmpdir } from 'node:os';
import { writeTokenDirectory } from '../testing/corpora.js';
import { HEADER_BYTES, decodeHeader, encodeHeader } from './header.js';
import { TokenSource } from './token-source.js';
import { verifyTokens } from './verify.js';

let root = '';
let intact = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cria-tokens-'));
  intact = await writeTokenDirectory(join(root, 'intact'), ['one two three', 'four', 'five six']);
});
afterAll(() => rm(root, { recursive: true }));

/** A copy of the intact directory, changed. */
async function damaged(change: (directory: string) => Promise<unknown>): Promise<string> {
  const directory = join(root, 'damaged');
  await rm(directory, { recursive: true, force: true });
  await cp(intact, directory, { recursive: true });
  await change(directory);
  return directory;
}

async function flipBit(path: string, position: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[position] ^= 1;
  await writeFile(path, bytes);
}

describe('a token directory', () => {
  it('has the documented layout', async () => {
    const bytes = await readFile(join(intact, 'tokens.bin'));
    expect(bytes.toString('latin1', 0, 8)).toBe('CRIATOK\0');
    expect([8, 12, 32, 36, 40, 44].map((at) => bytes.readUInt32LE(at))).toEqual([
      1, 160, 50_257, 50_256, 2, 0,
    ]);
    expect(bytes.toString('latin1', 16, 32)).toBe('gpt2'.padEnd(16, '\0'));
    expect(bytes.readBigUInt64LE(48)).toBe(9n);
    expect(bytes.readBigUInt64LE(56)).toBe(3n);
    expect(bytes.length).toBe(160 + 9 * 2);
    expect(bytes.readUInt16LE(160 + 3 * 2)).toBe(50_256);
    const ends = await readFile(join(intact, 'documents.bin'));
    expect([0, 8, 16].map((at) => ends.readBigUInt64LE(at))).toEqual([4n, 6n, 9n]);
  });

  it('knows which document holds a token', async () => {
    const source = await TokenSource.open(intact);
    const documents = await Promise.all(Array.from({ length: 9 }, (_, token) => source.documentAt(token)));
    await source.close();
    expect(documents).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 2]);
  });

  it('reads any range, at the same time as others', async () => {
    const source = await TokenSource.open(intact);
    const all = await source.read(0, 9);
    const pairs = await Promise.all(Array.from({ length: 8 }, (_, at) => source.read(at, 2)));
    await source.close();
    expect(pairs.map((pair) => Array.from(pair))).toEqual(
      Array.from({ length: 8 }, (_, at) => [all[at], all[at + 1]]),
    );
  });

  it('verifies', async () => {
    expect((await verifyTokens(intact)).tokens).toBe(9);
  });
});

describe('a damaged token directory', () => {
  it('is refused with both sizes when tokens.bin is cut short', async () => {
    const directory = await damaged((path) => truncate(join(path, 'tokens.bin'), 171));
    const error = await TokenSource.open(directory).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'DATA_CORRUPT', context: { expectedBytes: 178, actualBytes: 171 } });
    expect((error as CriaError).message).toMatch(
      /tokens\.bin is cut short: 178 bytes expected, 171 found.*prepare/,
    );
  });

  it.each([
    [
      'a header cut short',
      (path: string) => truncate(join(path, 'tokens.bin'), 100),
      /the header alone has 160/,
    ],
    ['an empty file', (path: string) => truncate(join(path, 'tokens.bin'), 0), /cut short: 0 bytes/],
    [
      'documents.bin cut short',
      (path: string) => truncate(join(path, 'documents.bin'), 8),
      /documents\.bin is cut short: 24 bytes expected, 8 found/,
    ],
    [
      'bytes at the end',
      (path: string) => writeFile(join(path, 'tokens.bin'), 'xx', { flag: 'a' }),
      /too long: 178 bytes expected, 180/,
    ],
    ['documents.bin missing', (path: string) => rm(join(path, 'documents.bin')), /documents\.bin is missing/],
    [
      'another kind of file',
      (path: string) => copyFile(join(path, 'documents.bin'), join(path, 'tokens.bin')),
      /cut short/,
    ],
    ['a wrong magic', (path: string) => flipBit(join(path, 'tokens.bin'), 0), /is not a token file of Cria/],
    [
      'another version',
      (path: string) => flipBit(join(path, 'tokens.bin'), 8),
      /format version 0, this Cria reads version 1/,
    ],
    ['a flipped bit in the count', (path: string) => flipBit(join(path, 'tokens.bin'), 48), /damaged header/],
    [
      'a flipped bit in the payload hash',
      (path: string) => flipBit(join(path, 'tokens.bin'), 64),
      /damaged header/,
    ],
  ])('is refused at once for %s', async (_, change, message) => {
    const directory = await damaged(change);
    await expect(TokenSource.open(directory)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringMatching(message) as string,
    });
  });

  it('is a configuration error when another tokenizer made it', async () => {
    const directory = await damaged(async (path) => {
      const bytes = await readFile(join(path, 'tokens.bin'));
      const header = { ...decodeHeader(bytes, path), tokenizerId: 'llama-2' };
      await writeFile(
        join(path, 'tokens.bin'),
        Buffer.concat([encodeHeader(header), bytes.subarray(HEADER_BYTES)]),
      );
    });
    await expect(TokenSource.open(directory)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('made with the tokenizer "llama-2"') as string,
    });
  });

  it('is found by verify for any flipped bit of header, payload or document ends', async () => {
    for (let position = 0; position < 178; position++) {
      const directory = await damaged((path) => flipBit(join(path, 'tokens.bin'), position));
      await expect(verifyTokens(directory), `byte ${position}`).rejects.toMatchObject({
        code: 'DATA_CORRUPT',
      });
    }
    for (let position = 0; position < 24; position++) {
      const directory = await damaged((path) => flipBit(join(path, 'documents.bin'), position));
      await expect(verifyTokens(directory), `byte ${position}`).rejects.toMatchObject({
        code: 'DATA_CORRUPT',
      });
    }
  });

  it('is a configuration error, with the command to run, when nothing is there', async () => {
    await expect(TokenSource.open(join(root, 'missing'))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/does not exist; make it with `cria data prepare/) as string,
    });
    await expect(TokenSource.open(root)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('holds no token file') as string,
    });
  });
});

describe('the header', () => {
  it('survives counts beyond 32 bits', () => {
    const header = {
      tokenizerId: 'gpt2',
      vocabSize: 50_257,
      endOfText: 50_256,
      tokens: 98_240_888_832,
      documents: 5_000_000_000,
      sha256: 'ab'.repeat(32),
      documentsSha256: 'cd'.repeat(32),
    };
    expect(encodeHeader(header)).toHaveLength(HEADER_BYTES);
    expect(decodeHeader(encodeHeader(header), 'x')).toEqual(header);
  });
});
