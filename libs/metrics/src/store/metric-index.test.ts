import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Rng } from '@cria/runtime';
import type { CriaError } from '@cria/runtime';
import { rowAt } from '../row-fixture.js';
import type { StepMetrics } from '../step-metrics.js';
import { INDEX_FILE, MetricIndex } from './metric-index.js';
import type { MetricIndexOptions } from './metric-index.js';
import { MetricHistory } from './metric-history.js';
import { seriesOf } from './series.js';

let directory: string;
let opened: MetricIndex[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cria-index-'));
  opened = [];
});
afterEach(async () => {
  for (const index of opened) await index.close();
  await rm(directory, { recursive: true });
});

const jsonl = (): string => join(directory, 'metrics.jsonl');
const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const rng = new Rng(11);
const rows = (from: number, end: number, fields: Partial<StepMetrics> = {}): StepMetrics[] =>
  Array.from({ length: end - from }, (_, i) => rowAt(from + i, { loss: rng.next(), ...fields }));

async function openIndex(fields: Partial<MetricIndexOptions> = {}): Promise<MetricIndex> {
  const index = await MetricIndex.open({ directory, schema: 'cria', ...fields });
  opened.push(index);
  return index;
}

function inMemory(all: readonly StepMetrics[]): MetricHistory {
  const history = new MetricHistory();
  for (const row of all) history.append(row);
  return history;
}

function expectSame(index: MetricIndex, all: readonly StepMetrics[]): void {
  const wanted = inMemory(all);
  for (const points of [20_000, 300, 7]) {
    for (const metric of ['loss', 'tokensPerSecond']) {
      const query = { metric, x: 'tokens', points, smoothing: { kind: 'ema', weight: 0.9 } } as const;
      expect(seriesOf(index.history, query)).toEqual(seriesOf(wanted, query));
    }
  }
  expect(index.history.rowCount).toBe(wanted.rowCount);
  expect(index.history.segments).toEqual(wanted.segments);
  expect(index.history.last()).toEqual(wanted.last());
}

describe('the index of metrics.jsonl', () => {
  it('answers as a history in memory does, also when it is opened again', async () => {
    const all = rows(0, 12_000);
    await writeFile(jsonl(), lines(all));
    const first = await openIndex();
    expect(first.isStored).toBe(true);
    expectSame(first, all);
    await first.close();
    expectSame(await openIndex(), all);
  });

  it('reads on where it stopped, and does not read what it knows', async () => {
    const all = rows(0, 9000);
    await writeFile(jsonl(), lines(all));
    await (await openIndex()).close();
    const more = rows(9000, 9100);
    await appendFile(jsonl(), lines(more));
    // A line in the middle is damaged without a change of its length: who reads it again would notice.
    const text = await readFile(jsonl(), 'utf8');
    const middle = text.indexOf('"step":4500') + 1;
    await writeFile(jsonl(), `${text.slice(0, middle)}STEP${text.slice(middle + 4)}`);
    const index = await openIndex();
    expectSame(index, [...all, ...more]);
    await appendFile(jsonl(), lines(rows(9100, 9103)));
    await index.catchUp();
    expect(index.history.endStep).toBe(9103);
    expect(index.badLines).toBe(0);
  });

  it('is made anew when the file is another one, shorter or replaced', async () => {
    await writeFile(jsonl(), lines(rows(0, 500)));
    const index = await openIndex();
    const others = rows(0, 800, { lr: 0.5 });
    await writeFile(jsonl(), lines(others));
    await index.catchUp();
    expectSame(index, others);
    const fewer = rows(0, 20);
    await writeFile(jsonl(), lines(fewer));
    await index.catchUp();
    expectSame(index, fewer);
    await index.close();
    expectSame(await openIndex(), fewer);
  });

  it('keeps one line and the abandoned tail of a resumed run, over openings', async () => {
    const before = rows(0, 10_000);
    const after = rows(4500, 9000, { segment: 1 });
    await writeFile(jsonl(), lines(before));
    await (await openIndex()).close();
    await appendFile(jsonl(), lines(after));
    const index = await openIndex();
    expectSame(index, [...before, ...after]);
    await index.close();
    const again = await openIndex();
    expectSame(again, [...before, ...after]);
    await appendFile(jsonl(), lines(rows(9000, 12_500, { segment: 1 })));
    await again.catchUp();
    expect(again.history.endStep).toBe(12_500);
    expect(again.history.abandoned[0]?.rows).toHaveLength(5500);
  });

  it('waits for the rest of a line that is cut off, and counts lines that are damaged', async () => {
    const all = rows(0, 10);
    const text = lines(all);
    await writeFile(jsonl(), text.slice(0, -20));
    const index = await openIndex();
    expect(index.history.endStep).toBe(9);
    expect(index.pendingBytes).toBeGreaterThan(0);
    await writeFile(jsonl(), `${text}{"step":\nnull\n7\n`);
    await index.catchUp();
    expectSame(index, all);
    expect(index.badLines).toBe(3);
    expect(index.pendingBytes).toBe(0);
  });

  it('goes on in memory where another process owns the file, and says so', async () => {
    const all = rows(0, 100);
    await writeFile(jsonl(), lines(all));
    const owner = await openIndex();
    const told: CriaError[] = [];
    const other = await openIndex({ onTrouble: (error) => told.push(error) });
    expect([owner.isStored, other.isStored]).toEqual([true, false]);
    expect(told.map(({ code }) => code)).toEqual(['STORAGE_FAILED']);
    expectSame(other, all);
  });

  it('is made anew when its own file is damaged', async () => {
    const all = rows(0, 5000);
    await writeFile(jsonl(), lines(all));
    await (await openIndex()).close();
    await writeFile(join(directory, INDEX_FILE), 'this is no database'.repeat(400));
    const index = await openIndex();
    expect(index.isStored).toBe(true);
    expectSame(index, all);
    await index.close();
    await truncate(join(directory, INDEX_FILE), 4096);
    expectSame(await openIndex(), all);
  });

  it('keeps answering when its file cannot grow (a full disk)', async () => {
    await writeFile(jsonl(), '');
    const told: CriaError[] = [];
    const index = await openIndex({ onTrouble: (error) => told.push(error), maxPages: 60 });
    // The first thing that is written of so many rows is larger than the file may be.
    const all = rows(0, 9_000);
    await appendFile(jsonl(), lines(all));
    await index.catchUp();
    expect(told.map(({ code }) => code)).toEqual(['STORAGE_FAILED']);
    expectSame(index, all);
    await index.close();
    expectSame(await openIndex(), all);
  });

  it('has no rows for a run without a file', async () => {
    const index = await openIndex();
    expect(index.history.last()).toBeNull();
    expect(existsSync(jsonl())).toBe(false);
  });
});

describe('a run that another program logged', () => {
  const open = (): Promise<MetricIndex> => openIndex({ schema: 'open' });

  it('has the names that its lines bring, also hostile ones, within bounds', async () => {
    const names = ['loss', 'a/b c', '<script>alert(1)</script>', '__proto__', 'constructor', 'x'.repeat(200)];
    const line = (step: number) =>
      `{"step":${step},"wallMs":${step * 10},${names.map((name) => `${JSON.stringify(name)}:${step}.5`).join(',')}}\n`;
    await writeFile(jsonl(), [0, 1, 2].map(line).join(''));
    const { history } = await open();
    expect(history.names).toEqual([
      'wallMs',
      'loss',
      'a/b c',
      '<script>alert(1)</script>',
      'constructor',
      'activeMs',
    ]);
    expect(history.at(2)).toMatchObject({ step: 2, loss: 2.5, constructor: 2.5, activeMs: 20 });
    expect(seriesOf(history, { metric: 'a/b c', x: 'active', points: 10 }).buckets.map(({ x }) => x)).toEqual(
      [0, 10, 20],
    );
  });

  it('puts the pieces of a step together, and takes the time between two lives out', async () => {
    const text = [
      { step: 0, segment: 0, wallMs: 1000, loss: 2 },
      { step: 0, segment: 0, wallMs: 1001, accuracy: 0.5 },
      { step: 1, segment: 0, wallMs: 1100, loss: null },
      { step: 2, segment: 1, wallMs: 9000, loss: 1 },
      { step: 3, segment: 1, wallMs: 9050, loss: 1 },
    ];
    await writeFile(jsonl(), lines(text));
    const index = await open();
    expect(index.history.at(0)).toMatchObject({ loss: 2, accuracy: 0.5, wallMs: 1000 });
    expect(index.history.at(1)).toMatchObject({ loss: null, activeMs: 100 });
    expect(index.history.at(3)?.activeMs).toBe(150);
    expect(seriesOf(index.history, { metric: 'loss', x: 'tokens', points: 10 }).buckets).toEqual([]);
    await index.close();
    expect((await open()).history.at(0)).toMatchObject({ accuracy: 0.5 });
  });
});

describe('the extremes of a column', () => {
  it('are found with their steps', async () => {
    const history = inMemory(rows(0, 5000));
    const values = [...history.rows()].map(({ loss }) => loss ?? 0);
    const column = history.column('loss');
    expect(column.stepOf('min')).toBe(values.indexOf(Math.min(...values)));
    expect(column.stepOf('max')).toBe(values.indexOf(Math.max(...values)));
    expect(history.column('valLoss').stepOf('min')).toBeNull();
  });
});
