import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberedText, writeTokenDirectory } from '../testing/corpora.js';
import { TokenSource } from '../token-file/token-source.js';
import { openDataset } from './dataset.js';
import type { Dataset, DatasetOptions } from './dataset.js';

const SEQUENCE_LENGTH = 8;

let root = '';
const paths = { large: '', small: '', single: '' };
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cria-dataset-'));
  const texts = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, at) => numberedText(from + at, 10));
  paths.large = await writeTokenDirectory(join(root, 'large'), texts(0, 40));
  paths.small = await writeTokenDirectory(join(root, 'small'), texts(1000, 9));
  paths.single = await writeTokenDirectory(join(root, 'single'), texts(2000, 1));
});
afterAll(() => rm(root, { recursive: true }));

function optionsWith(changes: Partial<DatasetOptions>): DatasetOptions {
  return {
    sources: [{ path: paths.large, weight: 1 }],
    order: 'shuffled',
    seed: 1337,
    sequenceLength: SEQUENCE_LENGTH,
    validationFraction: 0.1,
    ...changes,
  };
}

async function withDataset<T>(
  changes: Partial<DatasetOptions>,
  use: (dataset: Dataset) => Promise<T>,
): Promise<T> {
  const dataset = await openDataset(optionsWith(changes));
  try {
    return await use(dataset);
  } finally {
    await dataset.close();
  }
}

async function allTokens(path: string): Promise<Uint16Array> {
  const source = await TokenSource.open(path);
  const tokens = await source.read(0, source.header.tokens);
  await source.close();
  return tokens;
}

/** First tokens of the sequences [from, from + count). */
function starts(dataset: Dataset, from: number, count: number): Promise<number[]> {
  const places = Array.from({ length: count }, (_, at) => dataset.locate(from + at));
  return Promise.all(places).then((all) => all.map(({ startToken }) => startToken));
}

describe('a sequential dataset', () => {
  it('gives sequence i the tokens [i*T, i*T+T] and begins again when they end', async () => {
    const tokens = await allTokens(paths.large);
    await withDataset({ order: 'sequential', validationFraction: 0 }, async (dataset) => {
      const perPass = Math.floor((tokens.length - 1) / SEQUENCE_LENGTH);
      for (const index of [0, 1, perPass - 1]) {
        const start = index * SEQUENCE_LENGTH;
        expect(await dataset.trainSequence(index)).toEqual(tokens.slice(start, start + SEQUENCE_LENGTH + 1));
        expect(await dataset.trainSequence(index + 5 * perPass)).toEqual(await dataset.trainSequence(index));
      }
      expect(await dataset.locate(5 * perPass)).toMatchObject({ pass: 5, startToken: 0 });
    });
  });
});

describe('a shuffled dataset', () => {
  it('shows every sequence of the training range once a pass, in another order each pass', async () => {
    await withDataset({}, async (dataset) => {
      const perPass = Math.floor((dataset.trainTokens - 1) / SEQUENCE_LENGTH);
      const everyStart = Array.from({ length: perPass }, (_, at) => at * SEQUENCE_LENGTH);
      const passes = [];
      for (let pass = 0; pass < 3; pass++) passes.push(await starts(dataset, pass * perPass, perPass));
      for (const pass of passes) expect([...pass].sort((a, b) => a - b)).toEqual(everyStart);
      expect(new Set(passes.map((pass) => pass.join())).size).toBe(3);
    });
  });

  it('gives sequence i the same tokens in whatever order it is asked, and when it is opened again', async () => {
    const forwards = await withDataset({}, async (dataset) => {
      const sequences = [];
      for (let index = 0; index < 100; index++) sequences.push(await dataset.trainSequence(index));
      return sequences;
    });
    await withDataset({}, async (dataset) => {
      for (let index = 99; index >= 0; index--)
        expect(await dataset.trainSequence(index)).toEqual(forwards[index]);
    });
  });

  it('has another order for another seed', async () => {
    const orders = [];
    for (const seed of [1, 2]) orders.push(await withDataset({ seed }, (dataset) => starts(dataset, 0, 50)));
    expect(orders[0]).not.toEqual(orders[1]);
  });

  it('tells where a sequence lies and what it says', async () => {
    const tokens = await allTokens(paths.large);
    await withDataset({}, async (dataset) => {
      for (let index = 0; index < 60; index++) {
        const place = await dataset.locate(index);
        const sequence = await dataset.trainSequence(index);
        expect(sequence).toEqual(tokens.slice(place.startToken, place.endToken));
        expect(place).toMatchObject({ source: 0, path: paths.large, pass: 0 });
        expect(place.lastDocument - place.document).toBeLessThanOrEqual(1);
        const text = await dataset.text(index);
        if (place.document === place.lastDocument && !text.includes('<|endoftext|>')) {
          expect(numberedText(place.document, 10)).toContain(text);
        } else {
          expect(text).toContain('<|endoftext|>');
        }
      }
    });
  });
});

describe('the validation split', () => {
  it('is the last whole documents, and no training sequence touches it', async () => {
    const tokens = await allTokens(paths.large);
    await withDataset({}, async (dataset) => {
      expect(dataset.trainTokens + dataset.validationTokens).toBe(tokens.length);
      expect(dataset.validationTokens).toBeGreaterThanOrEqual(tokens.length * 0.1);
      expect(tokens[dataset.trainTokens - 1]).toBe(50_256);
      const held = tokens.slice(dataset.trainTokens);
      const oneDocument = tokens.length / 40;
      expect(held.length).toBeLessThan(tokens.length * 0.1 + 2 * oneDocument);
      for (let index = 0; index < 500; index++) {
        expect((await dataset.locate(index)).endToken).toBeLessThanOrEqual(dataset.trainTokens);
      }
      expect(dataset.validationSequences).toBe(Math.floor((held.length - 1) / SEQUENCE_LENGTH));
      const last = (dataset.validationSequences - 1) * SEQUENCE_LENGTH;
      expect(await dataset.validationSequence(0)).toEqual(held.slice(0, SEQUENCE_LENGTH + 1));
      expect(await dataset.validationSequence(dataset.validationSequences - 1)).toEqual(
        held.slice(last, last + SEQUENCE_LENGTH + 1),
      );
    });
  });

  it('holds at least one document back, however small the fraction', async () => {
    await withDataset({ validationFraction: 1e-9 }, async (dataset) => {
      expect(dataset.validationSequences).toBeGreaterThan(0);
      expect((await allTokens(paths.large))[dataset.trainTokens - 1]).toBe(50_256);
    });
  });

  it('does not exist for the fraction 0', async () => {
    await withDataset({ validationFraction: 0 }, async (dataset) => {
      expect(dataset).toMatchObject({ validationTokens: 0, validationSequences: 0 });
      expect(dataset.trainTokens).toBe((await allTokens(paths.large)).length);
    });
  });

  it('spans the sources one after the other', async () => {
    const sources = [
      { path: paths.small, weight: 1 },
      { path: paths.large, weight: 1 },
    ];
    const counts: number[] = [];
    for (const source of sources)
      counts.push(await withDataset({ sources: [source] }, async (d) => d.validationSequences));
    const first = await withDataset({ sources: [sources[1]] }, (dataset) => dataset.validationSequence(0));
    await withDataset({ sources }, async (dataset) => {
      expect(dataset.validationSequences).toBe(counts[0] + counts[1]);
      expect(await dataset.validationSequence(counts[0])).toEqual(first);
    });
  });
});

describe('a mixture of sources', () => {
  it('draws each by its weight and goes through the smaller one more often', async () => {
    const sources = [
      { path: paths.large, weight: 3 },
      { path: paths.small, weight: 2 },
    ];
    await withDataset({ sources }, async (dataset) => {
      const places = await Promise.all(Array.from({ length: 400 }, (_, index) => dataset.locate(index)));
      const small = places.filter(({ source }) => source === 1);
      expect(small).toHaveLength(160);
      expect(small[0].path).toBe(paths.small);
      const passesOf = (source: number): number =>
        Math.max(...places.filter((place) => place.source === source).map(({ pass }) => pass));
      expect(passesOf(1)).toBeGreaterThan(passesOf(0));
    });
  });
});

describe('the fingerprint', () => {
  it('depends on content and weights, not on where the files lie', async () => {
    const fingerprint = (sources: DatasetOptions['sources'], seed = 1): Promise<string> =>
      withDataset({ sources, seed }, async (dataset) => dataset.fingerprint);
    const copy = await writeTokenDirectory(
      join(root, 'copy'),
      Array.from({ length: 40 }, (_, at) => numberedText(at, 10)),
    );
    const base = await fingerprint([{ path: paths.large, weight: 1 }]);
    expect(base).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprint([{ path: copy, weight: 1 }], 2)).toBe(base);
    expect(await fingerprint([{ path: paths.large, weight: 2 }])).not.toBe(base);
    expect(await fingerprint([{ path: paths.small, weight: 1 }])).not.toBe(base);
  });
});

describe('openDataset refuses', () => {
  const dataEmpty = (message: RegExp): object => ({
    code: 'DATA_EMPTY',
    message: expect.stringMatching(message) as string,
  });

  it('a corpus too small for one sequence, naming the remedy', async () => {
    const options = optionsWith({ sources: [{ path: paths.small, weight: 1 }], sequenceLength: 5000 });
    await expect(openDataset(options)).rejects.toMatchObject(
      dataEmpty(
        /too small for one sequence of 5001 tokens; prepare more text or lower budget\.sequenceLength/,
      ),
    );
    await expect(openDataset({ ...options, validationFraction: 0 })).rejects.toMatchObject(
      dataEmpty(/too small/),
    );
  });

  it('a corpus of one document when some is to be held back', async () => {
    const options = optionsWith({ sources: [{ path: paths.single, weight: 1 }] });
    await expect(openDataset(options)).rejects.toMatchObject(
      dataEmpty(/in 1 documents\) leaves 0 tokens for training.*validation\.fraction to 0/),
    );
    await withDataset({ ...options, validationFraction: 0 }, async (dataset) => {
      expect(dataset.trainTokens).toBeGreaterThan(SEQUENCE_LENGTH);
    });
  });

  it('no source at all, and a source that is not there', async () => {
    await expect(openDataset(optionsWith({ sources: [] }))).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    const missing = optionsWith({ sources: [{ path: join(root, 'missing'), weight: 1 }] });
    await expect(openDataset(missing)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
