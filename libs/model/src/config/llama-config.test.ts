import { describe, expect, it } from 'vitest';
import type { CriaError } from '@cria/runtime';
import { headSize, validateLlamaConfig } from './llama-config.js';
import type { LlamaConfig } from './llama-config.js';
import { PRESET_NAMES, presetConfig } from './presets.js';

describe('presets', () => {
  it('are valid', () => {
    expect(PRESET_NAMES).toEqual(['quickstart', 'litellama-460m']);
    for (const name of PRESET_NAMES) expect(() => validateLlamaConfig(presetConfig(name))).not.toThrow();
  });

  it('that do not exist are refused with a list of those that do', () => {
    expect(() => presetConfig('toString')).toThrow('there are quickstart, litellama-460m');
  });

  it('give heads of 64 for LiteLlama', () => {
    expect(headSize(presetConfig('litellama-460m'))).toBe(64);
  });
});

describe('validation', () => {
  it.each<[Partial<LlamaConfig>, string]>([
    [{ heads: 3 }, 'model.heads is 3: it must divide model.hiddenSize = 256'],
    [{ hiddenSize: 24 }, 'model.heads is 8: model.hiddenSize / heads = 3 must be even'],
    [{ kvHeads: 3 }, 'model.kvHeads is 3: it must divide model.heads = 8'],
    [{ vocabSize: 70_000 }, 'model.vocabSize is 70000: at most 65536'],
    [{ layers: 0 }, 'model.layers is 0: it must be a whole number'],
    [{ hiddenSize: 25.6 }, 'model.hiddenSize is 25.6'],
    [{ rmsNormEps: 1 }, 'model.rmsNormEps is 1: it must lie between 0 and 1'],
    [{ initStd: NaN }, 'model.initStd is NaN'],
    [{ ropeTheta: 0 }, 'model.ropeTheta is 0'],
  ])('refuses %o, naming the field and the rule', (change, message) => {
    const attempt = (): void => validateLlamaConfig({ ...presetConfig('quickstart'), ...change });
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' } satisfies Partial<CriaError>));
  });

  it('names the place it was given', () => {
    expect(() => validateLlamaConfig({ ...presetConfig('quickstart'), layers: -1 }, 'base.model')).toThrow(
      'base.model.layers is -1',
    );
  });
});
