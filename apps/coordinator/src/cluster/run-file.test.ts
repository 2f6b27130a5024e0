import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunFile } from '../options.js';
import { claimRunFile, readRunFile, writeRunFile } from './run-file.js';

const CLAIM: Omit<RunFile, 'token'> = {
  ...{ run: 'tiny', runId: 'id', genesis: 'g', redisUrl: 'redis://127.0.0.1:1' },
  ...{ phase: 'running', desired: { revision: 1, target: 2, paused: false, stop: false } },
  ...{ coordinators: [], outcome: null, failure: null },
};

let outDir = '';
beforeEach(() => (outDir = mkdtempSync(join(tmpdir(), 'cria-run-file-'))));
afterEach(() => rmSync(outDir, { recursive: true }));

describe('run.json', () => {
  it('is made by one of several, whose token all of them have', () => {
    const token = claimRunFile(outDir, CLAIM);
    expect(claimRunFile(outDir, CLAIM)).toBe(token);
    writeRunFile(outDir, { ...CLAIM, token, phase: 'paused' });
    expect(readRunFile(outDir)).toEqual({ ...CLAIM, token, phase: 'paused' });
    expect(readdirSync(outDir)).toEqual(['run.json']);
  });

  it('that cannot be written leaves nothing half done, and says what to do', () => {
    // A directory of the name refuses the renaming, as a disk that is full may.
    mkdirSync(join(outDir, 'run.json'));
    expect(() => writeRunFile(outDir, { ...CLAIM, token: 'secret' })).toThrow(
      /^cannot write .*run\.json: EISDIR; free space or permit writing there$/,
    );
    expect(readdirSync(outDir)).toEqual(['run.json']);
  });
});
