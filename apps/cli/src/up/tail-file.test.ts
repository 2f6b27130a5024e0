import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TailFile } from './tail-file.js';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cria-tail-'));
  path = join(folder, 'lines.jsonl');
});

afterEach(() => rmSync(folder, { recursive: true }));

describe('TailFile', () => {
  it('has no lines while there is no file', () => {
    expect(new TailFile(path).read()).toEqual([]);
  });

  it('returns every line once, as soon as it is whole', () => {
    const tail = new TailFile(path);
    writeFileSync(path, 'one\ntw');
    expect(tail.read()).toEqual(['one']);
    appendFileSync(path, 'o\nthree\n');
    expect(tail.read()).toEqual(['two', 'three']);
    expect(tail.read()).toEqual([]);
  });

  it('keeps a character whole whose bytes come apart', () => {
    const tail = new TailFile(path);
    const bytes = Buffer.from('ñandú\n');
    writeFileSync(path, bytes.subarray(0, 1));
    expect(tail.read()).toEqual([]);
    appendFileSync(path, bytes.subarray(1));
    expect(tail.read()).toEqual(['ñandú']);
  });

  it('skips what is there', () => {
    writeFileSync(path, 'old\n');
    const tail = new TailFile(path);
    tail.skipToEnd();
    appendFileSync(path, 'new\n');
    expect(tail.read()).toEqual(['new']);
  });

  it('goes on after the end was cut off', () => {
    const tail = new TailFile(path);
    writeFileSync(path, 'one\nha');
    tail.read();
    truncateSync(path, 4);
    tail.read();
    appendFileSync(path, 'two\n');
    expect(tail.read()).toEqual(['two']);
  });
});
