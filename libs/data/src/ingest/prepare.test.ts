import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { withDirectory, writeJsonLines } from '../testing/corpora.js';
import { inspectTokens } from '../token-file/inspect.js';
import { TokenSource } from '../token-file/token-source.js';
import { verifyTokens } from '../token-file/verify.js';
import { gpt2Tokenizer } from '../tokenizer/gpt2-tokenizer.js';
import { prepare } from './prepare.js';
import type { PrepareProgress } from './prepare.js';

const tokenizer = gpt2Tokenizer();

async function documentsOf(directory: string): Promise<string[]> {
  const source = await TokenSource.open(directory);
  const texts: string[] = [];
  for (let document = 0; document < source.header.documents; document++) {
    const start = await source.documentEnd(document - 1);
    const ids = await source.read(start, (await source.documentEnd(document)) - start);
    expect(ids.at(-1)).toBe(tokenizer.endOfText);
    texts.push(tokenizer.decode(ids.subarray(0, -1)));
  }
  await source.close();
  return texts;
}

/** About `bytes` bytes of words from a small alphabet, with blanks and line ends. */
function generatedText(seed: number, bytes: number): string {
  const rng = new Rng(seed);
  const words = Array.from({ length: 3000 }, () =>
    Array.from({ length: 1 + rng.below(9) }, () => String.fromCharCode(97 + rng.below(26))).join(''),
  );
  let text = '';
  while (text.length < bytes) text += words[rng.below(words.length)] + (rng.below(12) === 0 ? '.\n\n' : ' ');
  return text;
}

describe('prepare', () => {
  it('reads .txt, .jsonl, .jsonl.gz and directories, in order of their paths', async () => {
    await withDirectory(async (directory) => {
      const corpus = join(directory, 'corpus');
      await mkdir(join(corpus, 'b'), { recursive: true });
      await writeFile(join(corpus, 'z.txt'), '\ufefflast\none');
      await writeFile(join(corpus, 'b', 'x.txt.gz'), gzipSync('packed text'));
      await writeFile(join(corpus, 'a.jsonl.gz'), gzipSync('{"text":"first"}\n\n{"text":"漢字 🙂"}'));
      await writeFile(join(corpus, 'README.md'), 'not read');
      const single = await writeJsonLines(join(directory, 'single.jsonl'), ['before', '', 'them']);
      const outDir = join(directory, 'out');
      const manifest = await prepare({ inputs: [single, corpus], outDir });
      expect(await documentsOf(outDir)).toEqual([
        'before',
        'them',
        'first',
        '漢字 🙂',
        'packed text',
        'last\none',
      ]);
      expect(manifest).toMatchObject({ documents: 6, emptyDocuments: 1, inputCount: 4, recipe: null });
      expect(manifest.inputs.map(({ name, documents }) => [name, documents])).toEqual([
        ['single.jsonl', 2],
        ['corpus/a.jsonl.gz', 2],
        ['corpus/b/x.txt.gz', 1],
        ['corpus/z.txt', 1],
      ]);
      expect(JSON.parse(await readFile(join(outDir, 'manifest.json'), 'utf8'))).toEqual(manifest);
    });
  });

  it('takes the text from the field that is named', async () => {
    await withDirectory(async (directory) => {
      const input = join(directory, 'in.jsonl');
      await writeFile(input, '{"content":"here","text":1}\n');
      const outDir = join(directory, 'out');
      await prepare({ inputs: [input], outDir, field: 'content' });
      expect(await documentsOf(outDir)).toEqual(['here']);
    });
  });

  it('writes the same bytes every time', async () => {
    await withDirectory(async (directory) => {
      const input = await writeJsonLines(join(directory, 'in.jsonl'), ['one', 'two']);
      for (const name of ['a', 'b']) await prepare({ inputs: [input], outDir: join(directory, name) });
      for (const file of ['tokens.bin', 'documents.bin', 'manifest.json']) {
        expect(await readFile(join(directory, 'a', file))).toEqual(
          await readFile(join(directory, 'b', file)),
        );
      }
    });
  });

  it('gives a document of several chunks the tokens that it has as a whole', async () => {
    await withDirectory(async (directory) => {
      const text = `${generatedText(1, 2_500_000)} ${'é🙂'.repeat(400_000)}`; // multi-byte characters across chunks
      await writeFile(join(directory, 'long.txt'), text);
      const outDir = join(directory, 'out');
      await prepare({ inputs: [join(directory, 'long.txt')], outDir });
      const source = await TokenSource.open(outDir);
      const ids = await source.read(0, source.header.tokens);
      await source.close();
      expect(Buffer.from(ids.slice(0, -1).buffer).equals(Buffer.from(tokenizer.encode(text).buffer))).toBe(
        true,
      );
    });
  });

  it('reports progress that rises to the whole input', async () => {
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'in.txt'), generatedText(2, 3_000_000));
      const seen: PrepareProgress[] = [];
      const options = { inputs: [join(directory, 'in.txt')], outDir: join(directory, 'out') };
      const manifest = await prepare({ ...options, onProgress: (progress) => seen.push(progress) });
      expect(seen.length).toBeGreaterThan(2);
      expect(seen.map(({ readBytes }) => readBytes)).toEqual(
        seen.map(({ readBytes }) => readBytes).sort((a, b) => a - b),
      );
      const last = seen.at(-1);
      expect(last).toMatchObject({ input: 'in.txt', documents: 1, tokens: manifest.tokens });
      expect(last?.readBytes).toBe(last?.totalBytes);
    });
  });

  it('leaves nothing behind when it is aborted halfway', async () => {
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'in.txt'), generatedText(3, 4_000_000));
      const controller = new AbortController();
      const reason = new Error('enough');
      const running = prepare({
        inputs: [join(directory, 'in.txt')],
        outDir: join(directory, 'out'),
        signal: controller.signal,
        onProgress: ({ tokens }) => tokens > 0 && controller.abort(reason),
      });
      await expect(running).rejects.toBe(reason);
      expect(await readdir(directory)).toEqual(['in.txt']);
    });
  });

  it(
    'needs no more memory for 24 MB in one document than for its beginning',
    { timeout: 60_000 },
    async () => {
      setFlagsFromString('--expose-gc');
      const collectGarbage = runInNewContext('gc') as () => void;
      await withDirectory(async (directory) => {
        const block = generatedText(4, 4_000_000);
        const input = join(directory, 'in.txt');
        for (let round = 0; round < 6; round++) await writeFile(input, block, { flag: 'a' });
        const usedBytes: number[] = [];
        await prepare({
          inputs: [input],
          outDir: join(directory, 'out'),
          onProgress: () => {
            collectGarbage();
            const { heapUsed, arrayBuffers } = process.memoryUsage();
            usedBytes.push(heapUsed + arrayBuffers);
          },
        });
        expect(usedBytes.length).toBeGreaterThan(20);
        const early = Math.max(...usedBytes.slice(0, 5));
        const late = Math.max(...usedBytes.slice(5));
        expect(late - early).toBeLessThan(6_000_000);
      });
    },
  );
});

describe('prepare refuses', () => {
  /** What happens with this content in `in.<suffix>`; afterwards nothing but the input is there. */
  async function failure(suffix: string, content: string | Buffer): Promise<unknown> {
    return withDirectory(async (directory) => {
      const input = join(directory, `in.${suffix}`);
      await writeFile(input, content);
      const error = await prepare({ inputs: [input], outDir: join(directory, 'out') }).catch(
        (e: unknown) => e,
      );
      expect(await readdir(directory)).toEqual([`in.${suffix}`]);
      return error;
    });
  }

  it.each([
    [
      'a line that is not JSON',
      'jsonl',
      '{"text":"a"}\n{"text":\n',
      'DATA_CORRUPT',
      /in\.jsonl:2 is not JSON/,
    ],
    ['a line that is no object', 'jsonl', '["text"]\n', 'DATA_CORRUPT', /in\.jsonl:1 is not a JSON object/],
    [
      'a record without the field',
      'jsonl',
      '\n{"body":"a","id":1}',
      'CONFIG_INVALID',
      /in\.jsonl:2: .*"text" \(it has: body, id\).*--field/,
    ],
    [
      'a field that is no string',
      'jsonl',
      '{"text":7}',
      'DATA_CORRUPT',
      /in\.jsonl:1: the field "text" is not a string/,
    ],
    ['an empty file', 'jsonl', '', 'DATA_EMPTY', /no document has any text/],
    ['documents without text', 'jsonl', '{"text":""}\n{"text":""}', 'DATA_EMPTY', /2 empty ones/],
    ['an empty text file', 'txt', '', 'DATA_EMPTY', /no document has any text/],
    [
      'text that is not UTF-8',
      'txt',
      Buffer.from([0x61, 0xe9, 0x61]),
      'DATA_CORRUPT',
      /in\.txt is not UTF-8.*iconv/,
    ],
    [
      'text that ends inside a character',
      'txt',
      Buffer.from([0x61, 0xf0, 0x9f]),
      'DATA_CORRUPT',
      /not UTF-8/,
    ],
    [
      'a line that is not UTF-8',
      'jsonl',
      Buffer.from('{"text":"\xe9"}', 'latin1'),
      'DATA_CORRUPT',
      /in\.jsonl:1 is not UTF-8/,
    ],
    [
      'a gzip file that is none',
      'jsonl.gz',
      '{"text":"a"}',
      'DATA_CORRUPT',
      /in\.jsonl\.gz is cut short or damaged/,
    ],
    ['a kind it does not know', 'pdf', 'x', 'CONFIG_INVALID', /in\.pdf is of no kind that Cria reads/],
  ])('%s', async (_, suffix, content, code, message) => {
    const error = await failure(suffix, content);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('a gzip file cut short, wherever', async () => {
    const whole = gzipSync(`{"text":"${generatedText(5, 200_000).replaceAll('\n', ' ')}"}\n`);
    for (const bytes of [whole.length - 1, whole.length >> 1, 12]) {
      const error = await failure('jsonl.gz', whole.subarray(0, bytes));
      expect(error).toMatchObject({
        code: 'DATA_CORRUPT',
        message: expect.stringContaining('in.jsonl.gz is cut short') as string,
      });
    }
  });

  it('an input that does not exist and a directory with nothing to read', async () => {
    await withDirectory(async (directory) => {
      const outDir = join(directory, 'out');
      const missing = join(directory, 'missing.txt');
      await expect(prepare({ inputs: [missing], outDir })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      await expect(prepare({ inputs: [directory], outDir })).rejects.toMatchObject({ code: 'DATA_EMPTY' });
      await expect(prepare({ inputs: [], outDir })).rejects.toMatchObject({ code: 'DATA_EMPTY' });
    });
  });

  it('to write over anything, before it reads', async () => {
    await withDirectory(async (directory) => {
      const input = await writeJsonLines(join(directory, 'in.jsonl'), ['one']);
      const outDir = join(directory, 'out');
      await prepare({ inputs: [input], outDir });
      const again = prepare({ inputs: [join(directory, 'missing')], outDir });
      await expect(again).rejects.toMatchObject({ code: 'RUN_EXISTS' });
      await expect(prepare({ inputs: [input], outDir: input })).rejects.toMatchObject({ code: 'RUN_EXISTS' });
      await verifyTokens(outDir);
    });
  });

  it('a place that cannot be written', async () => {
    await withDirectory(async (directory) => {
      const input = await writeJsonLines(join(directory, 'in.jsonl'), ['one']);
      const outDir = join(input, 'below', 'a-file');
      await expect(prepare({ inputs: [input], outDir })).rejects.toMatchObject({
        code: expect.stringMatching(/RUN_EXISTS|STORAGE_FAILED/) as string,
      });
    });
  });
});

describe('inspect', () => {
  it('tells what a directory holds and shows the beginning', async () => {
    await withDirectory(async (directory) => {
      const input = await writeJsonLines(join(directory, 'in.jsonl'), ['Hello there.', 'b']);
      const outDir = join(directory, 'out');
      const manifest = await prepare({ inputs: [input], outDir });
      expect(await inspectTokens(outDir)).toMatchObject({
        directory: outDir,
        tokenizerId: 'gpt2',
        vocabSize: 50_257,
        tokens: 3 + 1 + 1 + 1,
        documents: 2,
        tokensPerDocument: 3,
        sample: 'Hello there.',
        sha256: manifest.sha256,
        manifest,
      });
    });
  });
});
