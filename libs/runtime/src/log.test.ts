import fs, { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog } from './log.js';

let directory = '';
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cria-log-'))));
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

const messages = (file: string): unknown[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: unknown }).msg);

describe('the log', () => {
  it('does not end its process where the disk is full, and writes what waited when there is room', () => {
    const file = join(directory, 'a.log');
    const log = createLog({ name: 'test', file });
    log.info({}, 'before');
    const { writeSync } = fs;
    let taken = 0;
    vi.spyOn(fs, 'writeSync').mockImplementation((fd: number, data: unknown) => {
      if (taken++ === 0) return writeSync(fd, Buffer.from(String(data)).subarray(0, 9));
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    });
    log.error({}, 'full');
    log.error({}, 'still full');
    vi.restoreAllMocks();
    log.info({}, 'after');
    expect(messages(file)).toEqual(['before', 'full', 'still full', 'after']);
  });

  it.runIf(process.platform === 'linux')('goes on where the disk never takes a line', () => {
    const log = createLog({ name: 'test', file: '/dev/full' });
    for (let i = 0; i < 200; i++) log.warn({ text: 'x'.repeat(100_000) }, 'again');
  });
});
