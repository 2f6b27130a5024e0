import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseOutDir, makeOutDir, outDirOfResume } from './out-dir.js';

const before = process.cwd();
let folder = '';

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'cria-out-')));
  process.chdir(folder);
});

afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

function makeRun(name: string): void {
  makeOutDir(join('runs', name));
  writeFileSync(join('runs', name, 'config.yaml'), '');
}

const choose = (out: string | null): string => chooseOutDir({ out, run: 'llama', resume: false });

describe('the directory of a run', () => {
  it('is the next free one of its name', () => {
    expect(choose(null)).toBe(join(folder, 'runs/llama'));
    makeRun('llama');
    expect(choose(null)).toBe(join(folder, 'runs/llama-2'));
    makeRun('llama-2');
    expect(choose(null)).toBe(join(folder, 'runs/llama-3'));
  });

  it('may be an empty one that somebody made', () => {
    mkdirSync('mine');
    expect(choose('mine')).toBe(join(folder, 'mine'));
  });

  it('may not be one that holds something', () => {
    makeRun('llama');
    expect(() => choose('runs/llama')).toThrowError('add --resume');
  });

  it('to resume is the newest of its name, by number', () => {
    for (const name of ['llama', 'llama-2', 'llama-10', 'llama-large', 'llamas-11']) makeRun(name);
    expect(outDirOfResume(null, 'llama')).toBe(join(folder, 'runs/llama-10'));
    expect(outDirOfResume('runs/llama-2', 'llama')).toBe(join(folder, 'runs/llama-2'));
  });

  it('to resume has to hold a run', () => {
    mkdirSync('empty');
    expect(() => outDirOfResume('empty', 'llama')).toThrowError('there is no run to resume');
  });
});
