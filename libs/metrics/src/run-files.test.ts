import { appendFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CriaError } from '@cria/runtime';
import { openEventsFile, openMetricsFile, readEventsFile, readMetricsFile } from './run-files.js';
import { rowAt } from './row-fixture.js';
import type { StepMetrics } from './step-metrics.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cria-metrics-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function rowsOf(path: string): Promise<{ rows: StepMetrics[]; bad: unknown }> {
  const rows: StepMetrics[] = [];
  const bad = await readMetricsFile(path, (row) => rows.push(row));
  return { rows, bad };
}

describe('metrics.jsonl', () => {
  it('gives back the rows that were appended, across two openings', async () => {
    const path = join(directory, 'run', 'metrics.jsonl');
    for (const step of [0, 1]) {
      const file = await openMetricsFile(path);
      file.append(rowAt(step));
      await file.close();
    }
    expect(await rowsOf(path)).toEqual({ rows: [rowAt(0), rowAt(1)], bad: [] });
  });

  it('holds numbers that are not finite as null', async () => {
    const path = join(directory, 'metrics.jsonl');
    const file = await openMetricsFile(path);
    file.append(rowAt(0, { loss: NaN, gradNorm: Infinity, verdict: 'skip' }));
    await file.close();
    const { rows } = await rowsOf(path);
    expect(rows[0]).toMatchObject({ loss: null, gradNorm: null });
    expect(await readFile(path, 'utf8')).not.toMatch(/NaN|Infinity/);
  });

  it('cuts a half-written last line away, however long it is', async () => {
    const path = join(directory, 'metrics.jsonl');
    const whole = `${JSON.stringify(rowAt(0))}\n`;
    for (const tail of ['{"step":1,"tok', `{"step":1,"text":"${'x'.repeat(200_000)}`]) {
      await writeFile(path, whole + tail);
      expect((await rowsOf(path)).bad).toEqual([{ line: 2, reason: expect.stringContaining('cut off') }]);
      const file = await openMetricsFile(path);
      file.append(rowAt(1));
      await file.close();
      expect(await rowsOf(path)).toEqual({ rows: [rowAt(0), rowAt(1)], bad: [] });
    }
  });

  it('leaves out damaged lines, says which, and reads the rest', async () => {
    const path = join(directory, 'metrics.jsonl');
    const noLr = { ...rowAt(1), lr: undefined };
    const textLoss = { ...rowAt(2), loss: '9.1' };
    const lines = [rowAt(0), noLr, textLoss, 7, rowAt(4)].map((line) => JSON.stringify(line));
    await writeFile(path, `${lines.join('\n')}\n\0\0\0\n`);
    const { rows, bad } = await rowsOf(path);
    expect(rows.map((row) => row.step)).toEqual([0, 4]);
    expect(bad).toEqual([
      { line: 2, reason: 'lr is missing' },
      { line: 3, reason: 'loss is not a number' },
      { line: 4, reason: 'not a JSON object' },
      { line: 6, reason: expect.stringContaining('not a whole JSON value') },
    ]);
  });

  it('has no rows when it is not there', async () => {
    expect(await rowsOf(join(directory, 'none.jsonl'))).toEqual({ rows: [], bad: [] });
  });

  it('names the path when it cannot be opened', async () => {
    await writeFile(join(directory, 'file'), '');
    const opening = openMetricsFile(join(directory, 'file', 'metrics.jsonl'));
    await expect(opening).rejects.toThrow(/file\/metrics\.jsonl cannot be opened/);
  });

  it('reports trouble once, keeps the lines and writes them when it can again', async () => {
    const path = join(directory, 'metrics.jsonl');
    const trouble: Array<CriaError | null> = [];
    const file = await openMetricsFile(path, { onTrouble: (error) => trouble.push(error) });
    file.append(rowAt(0));
    await file.flush();
    await failingWrites(path, async () => {
      file.append(rowAt(1));
      await file.flush();
      expect(await rowsOf(path)).toEqual({ rows: [rowAt(0)], bad: [] });
      file.append(rowAt(2));
      await file.flush();
    });
    expect(trouble.map((error) => error?.code)).toEqual(['STORAGE_FAILED']);
    file.append(rowAt(3));
    await file.close();
    expect(trouble).toHaveLength(2);
    expect(trouble[1]).toBeNull();
    expect((await rowsOf(path)).rows.map((row) => row.step)).toEqual([0, 1, 2, 3]);
    expect(file.droppedLines).toBe(0);
  });
});

describe('a coordinator that stands by', () => {
  it('changes nothing until it writes, and then writes behind the other', async () => {
    const path = join(directory, 'metrics.jsonl');
    const leader = await openMetricsFile(path);
    const standby = await openMetricsFile(path);
    for (const step of [0, 1]) leader.append(rowAt(step));
    await leader.flush();
    await appendFile(path, '{"step":2,"cut');
    standby.append(rowAt(2));
    await standby.close();
    await leader.close();
    expect(await rowsOf(path)).toEqual({ rows: [rowAt(0), rowAt(1), rowAt(2)], bad: [] });
  });
});

describe('events.jsonl', () => {
  it('gives back events and leaves out kinds it does not know', async () => {
    const path = join(directory, 'events.jsonl');
    const event = {
      seq: 1,
      wallMs: 5,
      kind: 'worker-lost',
      step: 3,
      worker: 'w1',
      text: 'w1 is gone',
    } as const;
    const file = await openEventsFile(path);
    file.append(event);
    await file.close();
    await appendFile(path, `${JSON.stringify({ ...event, kind: 'party' })}\n`);
    const events: unknown[] = [];
    const bad = await readEventsFile(path, (read) => events.push(read));
    expect(events).toEqual([event]);
    expect(bad).toEqual([{ line: 2, reason: 'kind "party" is not known' }]);
  });
});

interface Writing {
  write(bytes: Buffer, offset: number, length?: number): Promise<{ bytesWritten: number }>;
}

/** FileHandle's class is not exported; its prototype is where a full disk can be played. */
async function handlePrototype(path: string): Promise<Writing> {
  const handle = await open(path, 'r');
  await handle.close();
  return Object.getPrototypeOf(handle) as Writing;
}

/** As on a disk that fills up: the first bytes are taken, the rest is refused. */
async function failingWrites(path: string, during: () => Promise<void>): Promise<void> {
  const prototype = await handlePrototype(path);
  const write = prototype.write;
  prototype.write = function (bytes, offset) {
    if (offset === 0) return write.call(this, bytes, 0, 20);
    return Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }));
  };
  try {
    await during();
  } finally {
    prototype.write = write;
  }
}
