import { CriaError } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { genesisOf, mathematicalDifferences } from './genesis.js';
import { parseOverride, parseRunConfig } from './parse-config.js';

const YAML = `
run: tiny
model: { hiddenSize: 32, intermediateSize: 64, layers: 2, heads: 4, kvHeads: 2, vocabSize: 50304, maxPositions: 64 }
budget: { steps: 20, sequenceLength: 32, globalBatch: 8 }
slots: 4
data: { train: [ { path: data/tiny } ] }
optimizer: { peakLr: 1e-3, minLr: 1e-4, warmupSteps: 2 }
`;

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (CriaError.is(error)) return error.message;
    throw error;
  }
  return '';
}

const parse = (...sets: string[]) =>
  parseRunConfig(
    YAML,
    'tiny.yaml',
    sets.map((set) => parseOverride(set)),
  );
const fingerprints = { dataFingerprint: 'd', engineFingerprint: 'e', parent: null };

describe('run configuration', () => {
  it('fills in defaults', () => {
    const config = parse();
    expect(config.seed).toBe(1337);
    expect(config.timeouts.suspectMs).toBe(3000);
    expect(config.workers).toEqual({ target: 2, min: 1 });
    expect(config.data.train[0]?.weight).toBe(1);
  });

  it('names an unknown key with its path', () => {
    expect(messageOf(() => parse('model.hiddenSise=3'))).toContain('model.hiddenSise: unknown key');
    expect(messageOf(() => parse('colour=red'))).toContain('colour: unknown key');
  });

  it('names the allowed slot numbers when slots do not divide the batch', () => {
    expect(messageOf(() => parse('slots=3'))).toContain(
      'slots: must divide budget.globalBatch = 8: allowed are 1, 2, 4, 8',
    );
  });

  it('names the allowed values of a choice', () => {
    expect(messageOf(() => parse('data.order=random'))).toContain(
      'data.order: allowed are shuffled, sequential',
    );
  });

  it('lets the last override win and reads values as YAML', () => {
    const config = parse('budget.steps=7', 'budget.steps=9', 'workers={target: 3, min: 2}');
    expect(config.budget.steps).toBe(9);
    expect(config.workers.target).toBe(3);
  });

  it('refuses an override below a scalar', () => {
    expect(messageOf(() => parse('slots.deep=1'))).toContain('"slots" has no fields below it');
  });

  it('refuses a grid too fine for so many slots, and what is not built yet', () => {
    expect(messageOf(() => parse('exchange.gridBits=40', 'budget.globalBatch=64', 'slots=64'))).toContain(
      'at most 38 with 64 slots',
    );
    expect(messageOf(() => parse('init=some/model'))).toContain(
      'init: starting from a model directory is not built yet',
    );
    expect(messageOf(() => parse('checkpoint.store=s3://bucket/x'))).toContain('S3 is not built yet');
  });

  it('refuses malformed YAML with its place', () => {
    expect(messageOf(() => parseRunConfig('run: [', 'bad.yaml'))).toContain('bad.yaml is not valid YAML');
  });
});

describe('genesis', () => {
  it('ignores what cannot touch the mathematics', () => {
    const a = genesisOf({ config: parse(), ...fingerprints });
    const b = genesisOf({
      config: parse('workers.target=3', 'timeouts.leaseMs=9000', 'run=other'),
      ...fingerprints,
    });
    expect(b).toBe(a);
  });

  it.each([
    'seed=1',
    'slots=8',
    'optimizer.peakLr=0.1',
    'exchange.gridBits=28',
    'data.order=sequential',
    'model.layers=1',
  ])('changes with %s', (set) => {
    expect(genesisOf({ config: parse(set), ...fingerprints })).not.toBe(
      genesisOf({ config: parse(), ...fingerprints }),
    );
  });

  it('does not change when an automatic value is written out', () => {
    const auto = genesisOf({ config: parse(), ...fingerprints });
    expect(genesisOf({ config: parse('exchange.gridBits=32'), ...fingerprints })).toBe(auto);
  });

  it('tells by field where two configurations differ, and only in what counts', () => {
    expect(mathematicalDifferences(parse(), parse('workers.target=3', 'checkpoint.everySteps=2'))).toEqual(
      [],
    );
    expect(mathematicalDifferences(parse(), parse('seed=9', 'optimizer.peakLr=0.5'))).toEqual([
      'optimizer.peakLr: 0.001, now 0.5',
      'seed: 1337, now 9',
    ]);
  });
});
