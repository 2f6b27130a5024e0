import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRunConfig } from '@cria/protocol';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keepConfigFile } from './config-file.js';

const CONFIG = parseRunConfig(
  `
run: tiny
model: { hiddenSize: 16, intermediateSize: 32, layers: 1, heads: 2, kvHeads: 1, vocabSize: 50304, maxPositions: 16 }
budget: { steps: 4, sequenceLength: 16, globalBatch: 6 }
slots: 6
data: { train: [ { path: tokens } ] }
optimizer: { peakLr: 3e-3, minLr: 3e-4, warmupSteps: 1 }
`,
  'test',
);

let outDir = '';
let path = '';
beforeEach(() => {
  outDir = mkdtempSync(join(tmpdir(), 'cria-config-file-'));
  path = join(outDir, 'config.yaml');
});
afterEach(() => rmSync(outDir, { recursive: true }));

it('writes what reads back as the same configuration', () => {
  keepConfigFile(outDir, CONFIG);
  expect(parseRunConfig(readFileSync(path, 'utf8'), path)).toEqual(CONFIG);
  expect(readdirSync(outDir)).toEqual(['config.yaml']);
});

it('leaves the file alone that is there, and writes nothing: its disk may be full', () => {
  writeFileSync(path, 'as it was');
  // What a draft would be written to refuses it.
  mkdirSync(`${path}.${process.pid}.tmp`);
  keepConfigFile(outDir, CONFIG);
  expect(readFileSync(path, 'utf8')).toBe('as it was');
});
