import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Place } from '../decide/supervise.js';
import { refusalOf } from '../run/out-dir.js';
import { childFailure } from './child-failure.js';

const FLAPPING: Place = {
  ...{ id: 'coordinator-0', role: 'coordinator', phase: 'running', sinceMs: 0 },
  ...{ quickFailures: 6, stepAtFirstFailure: 133 },
};
const ENDED =
  'coordinator-0 ended 6 times in a row without a step in between, the last time with exit code 1';

let outDir = '';
let logFile = '';
beforeEach(() => {
  outDir = mkdtempSync(join(tmpdir(), 'cria-failure-'));
  logFile = join(outDir, 'coordinator-0.log');
});
afterEach(() => rmSync(outDir, { recursive: true }));

function failureAfter(log: string, refusal: string | null, code = 1): { code: string; message: string } {
  writeFileSync(logFile, log);
  const failure = childFailure(FLAPPING, { code, signal: null }, { outDir, logFile, refusal });
  return { code: failure.code, message: failure.message };
}

describe('a child that is given up', () => {
  it('is explained by its last words and its log', () => {
    expect(failureAfter('cria: [INTERNAL] one thing\n', null)).toEqual({
      code: 'CHILD_FAILED',
      message: `one thing\n${ENDED} (${logFile})`,
    });
  });

  it('is explained by a full disk, with path and remedy, where the disk has cut its last words off', () => {
    expect(failureAfter('cria: [STORAGE_FAILED] cannot claim /ru', 'ENOSPC')).toEqual({
      code: 'STORAGE_FAILED',
      message:
        `the disk of ${outDir} is full (ENOSPC): free space, ` +
        `then \`cria up --out ${outDir} --resume\` goes on from the newest checkpoint\n${ENDED} (${logFile})`,
    });
  });

  it('is explained by a disk that has become read-only', () => {
    const { message } = failureAfter('', 'EROFS');
    expect(message).toContain(`the disk of ${outDir} cannot be written (EROFS): permit writing there`);
  });

  it('keeps its own code where it could never have run', () => {
    const { code, message } = failureAfter('cria: [PORT_IN_USE] port 80 is taken\n', 'ENOSPC', 2);
    expect(code).toBe('PORT_IN_USE');
    expect(message).toContain('port 80 is taken');
  });
});

describe('a directory', () => {
  it('is tried by writing, and nothing is left behind', () => {
    expect(refusalOf(outDir)).toBeNull();
    expect(readdirSync(outDir)).toEqual([]);
    expect(refusalOf(join(outDir, 'gone'))).toBe('ENOENT');
  });
});
