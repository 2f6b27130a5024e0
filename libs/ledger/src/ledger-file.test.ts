import {
  appendFile,
  mkdtemp,
  open,
  readFile,
  readdir,
  rename,
  rm,
  truncate,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CriaError } from '@cria/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from './audit.js';
import { pointAfter } from './chain.js';
import type { LedgerEntry } from './entry.js';
import { LedgerFile } from './ledger-file.js';
import { loadLedger, readLedger } from './ledger-reader.js';
import { formatLine } from './line.js';
import { SAMPLE_GENESIS, SAMPLE_RUN, sampleLedger, sampleStart } from './sample-ledger.js';

let directory: string;
let path: string;
const entries = sampleLedger({ count: 40 });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cria-ledger-'));
  path = join(directory, 'ledger.jsonl');
});
afterEach(() => rm(directory, { recursive: true }));

const takeOver = (count: number, owner: string): Promise<LedgerFile> =>
  LedgerFile.takeOver({ path, from: sampleStart, entries: entries.slice(0, count), owner });

async function errorOf(promise: Promise<unknown>): Promise<CriaError> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => error,
  );
  if (!CriaError.is(outcome)) throw new Error(`expected a CriaError, got ${String(outcome)}`);
  return outcome;
}

describe('the ledger file', () => {
  it('holds what was taken over and appended, in order', async () => {
    const file = await takeOver(10, 'term-1');
    const appends = entries.slice(10, 30).map((entry) => file.append([entry]));
    await Promise.all([...appends, file.sync()]);
    await file.append(entries.slice(30));
    await file.close();
    await file.close();
    expect(await loadLedger(path)).toEqual({ entries, cutOff: null });
    expect(file.head).toEqual(pointAfter(entries.at(-1) as LedgerEntry));
    expect(await readdir(directory)).toEqual(['ledger.jsonl']);
  });

  it('refuses an entry that does not follow', async () => {
    const file = await takeOver(10, 'term-1');
    expect(() => file.append([entries[11] as LedgerEntry])).toThrow(/step 11 stands where 10 belongs/);
    await expect(takeOverWith([entries[1] as LedgerEntry])).rejects.toThrow(/step 1 stands where 0 belongs/);
    await file.close();
  });

  const takeOverWith = (list: LedgerEntry[]): Promise<LedgerFile> =>
    LedgerFile.takeOver({ path, from: sampleStart, entries: list, owner: 'term-2' });

  it('lets a deposed writer write into nothing, and tells it', async () => {
    const old = await takeOver(10, 'term-1');
    const current = await takeOver(10, 'term-2');
    await old.append(entries.slice(10, 20));
    await current.append(entries.slice(10, 12));
    await current.close();
    expect((await loadLedger(path)).entries).toEqual(entries.slice(0, 12));
    expect((await errorOf(old.sync())).code).toBe('LEASE_LOST');
    expect((await errorOf(old.append(entries.slice(20, 21)))).code).toBe('LEASE_LOST');
  });

  it('keeps a sleeper from finishing its takeover after another one', async () => {
    const unfinished = `${path}.new-term-1`;
    await writeFile(unfinished, 'half');
    const file = await takeOver(5, 'term-2');
    expect(await readdir(directory)).toEqual(['ledger.jsonl']);
    await expect(rename(unfinished, path)).rejects.toThrow(/ENOENT/);
    await file.close();
  });

  it('leaves no half line where the disk is full, and says what to do', async () => {
    const file = await takeOver(10, 'term-1');
    await file.append(entries.slice(10, 12));
    const failed = await onFullDisk(() => errorOf(file.append(entries.slice(12, 14))));
    expect(failed.code).toBe('STORAGE_FAILED');
    expect(failed.message).toBe(`cannot write ${path}: ENOSPC; free space or permit writing there`);
    expect(await loadLedger(path)).toEqual({ entries: entries.slice(0, 12), cutOff: null });
  });

  /** FileHandle's class is not exported; its prototype is where a full disk can be played. */
  async function onFullDisk<T>(during: () => Promise<T>): Promise<T> {
    const handle = await open(path, 'r');
    await handle.close();
    const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'appendFile' | 'write'>;
    const { appendFile: whole } = prototype;
    prototype.appendFile = async function (this: FileHandle, text) {
      await this.write(String(text).slice(0, 300));
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    };
    return during().finally(() => (prototype.appendFile = whole));
  }

  it('reports a directory that is not there', async () => {
    path = join(directory, 'missing', 'ledger.jsonl');
    const error = await errorOf(takeOver(1, 'term-1'));
    expect(error).toMatchObject({ code: 'STORAGE_FAILED', context: { path, why: 'ENOENT' } });
  });
});

describe('reading a ledger file', () => {
  const write = (count: number): Promise<void> =>
    writeFile(
      path,
      entries
        .slice(0, count)
        .map((entry) => `${formatLine(entry)}\n`)
        .join(''),
    );

  it('leaves out a last line that was cut off, at any place, and reports it', async () => {
    await write(3);
    const whole = await readFile(path);
    const lastLineStart = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    for (const sizeBytes of [1, 100, whole.length - lastLineStart - 1]) {
      await writeFile(path, whole);
      await truncate(path, lastLineStart + sizeBytes);
      expect(await loadLedger(path)).toEqual({
        entries: entries.slice(0, 2),
        cutOff: { line: 3, offset: lastLineStart, sizeBytes },
      });
    }
  });

  it('reads lines across its buffer', async () => {
    const long = sampleLedger({ count: 9, ops: () => ({ note: 'x'.repeat(300_000) }) });
    await writeFile(path, long.map((entry) => `${formatLine(entry)}\n`).join(''));
    expect((await loadLedger(path)).entries).toEqual(long);
  });

  it('names file and line of damage in the middle', async () => {
    await write(2);
    await appendFile(path, 'garbage\n');
    const error = await errorOf(loadLedger(path));
    expect(error.message).toBe('ledger.jsonl line 3: line must be JSON');
  });

  it('says where there is no ledger', async () => {
    expect((await errorOf(loadLedger(path))).code).toBe('RUN_NOT_FOUND');
  });

  it('lets an audit find any changed byte of the file', async () => {
    await write(4);
    const whole = await readFile(path);
    const last = pointAfter(entries[3] as LedgerEntry);
    const manifests = [
      {
        ...last,
        step: 4,
        runId: SAMPLE_RUN,
        genesis: SAMPLE_GENESIS,
        stateDigest: '',
        term: { number: 1, leader: 'c1' },
      },
    ];
    for (let at = 0; at < whole.length; at += 7) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      await writeFile(path, changed);
      const report = await audit({
        entries: readLedger(path),
        runId: SAMPLE_RUN,
        genesis: SAMPLE_GENESIS,
        sequenceLength: 16,
        globalBatch: 8,
        slots: 4,
        manifests,
      });
      const step = whole.subarray(0, at).filter((byte) => byte === 0x0a).length;
      expect(report.ok).toBe(false);
      expect(report.firstBadStep).toBe(step);
    }
  });
});
