import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { parseOverride, parseRunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../places.js';
import { configPath, loadConfig } from './load-config.js';

const FILE = readFileSync(join(ROOT, 'configs/quickstart-tfjs.yaml'), 'utf8');

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cria-config-'));
  file = join(folder, 'run.yaml');
  writeFileSync(file, FILE);
});

afterEach(() => rmSync(folder, { recursive: true }));

const set = (...texts: string[]) => ({ set: texts.map((text) => parseOverride(text)) });

describe('loadConfig', () => {
  it('lets the environment win over the file, a flag over the environment, --set over all', () => {
    const environment = { CRIA_SET: 'seed=1; budget.steps=11; workers.target=4' };
    const overrides = [
      { path: 'budget.steps', value: 12, origin: '--x' },
      { path: 'workers.target', value: 5, origin: '--workers' },
    ];
    const config = loadConfig({ flags: set('workers.target=6'), file, overrides, environment });
    expect([config.seed, config.budget.steps, config.workers.target]).toEqual([1, 12, 6]);
  });

  it('makes the paths of data and store absolute, so that a resume may come from anywhere', () => {
    const config = loadConfig({ flags: set('checkpoint.store=kept'), file, environment: {} });
    expect(config.data.train.every(({ path }) => isAbsolute(path))).toBe(true);
    expect(isAbsolute(config.checkpoint.store ?? '')).toBe(true);
  });

  it('names where a bad override came from', () => {
    const load = (): unknown => loadConfig({ flags: set(), file, environment: { CRIA_SET: 'slots' } });
    expect(load).toThrowError(CriaError);
    expect(load).toThrowError('CRIA_SET wants path=value, got "slots"');
  });
});

describe('configPath', () => {
  it('takes a bare word for a configuration of the clone and anything else for a file', () => {
    expect(configPath('quickstart')).toBe(join(ROOT, 'configs/quickstart.yaml'));
    expect(configPath('run.yaml')).toBe('run.yaml');
    expect(configPath('./quickstart')).toBe('./quickstart');
  });
});

describe('configs/', () => {
  it.each(readdirSync(join(ROOT, 'configs')))('%s is valid', (name) => {
    const text = readFileSync(join(ROOT, 'configs', name), 'utf8');
    expect(parseRunConfig(text, name).engine.kind).toBe('auto');
  });
});
