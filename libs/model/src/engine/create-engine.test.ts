import { expect, it } from 'vitest';
import { presetConfig } from '../config/presets.js';
import { createEngine } from './create-engine.js';
import type { EngineOptions } from './create-engine.js';

const OPTIONS: EngineOptions = {
  kind: 'tfjs',
  device: 'cpu',
  threads: 1,
  precision: 'f32',
  config: presetConfig('quickstart'),
  sequenceLength: 16,
};

it.each<[string, Partial<EngineOptions>, string]>([
  ['the native engine computes on the CPU', { kind: 'native', device: 'cuda:0' }, 'cpu'],
  ['the tfjs engine has no bf16', { precision: 'bf16' }, 'engine.precision: f32'],
  ['a GPU needs its package', { device: 'cuda:0' }, 'cria setup --tensorflow gpu'],
])('%s: ENGINE_UNAVAILABLE with the remedy', async (_, change, remedy) => {
  const attempt = createEngine({ ...OPTIONS, ...change });
  await expect(attempt).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE', action: 'fix-config' });
  await expect(attempt).rejects.toThrow(remedy);
});

it('a sequence longer than the model has positions for is refused', async () => {
  await expect(createEngine({ ...OPTIONS, sequenceLength: 257 })).rejects.toThrow(
    'budget.sequenceLength is 257; it must be a whole number from 1 to model.maxPositions = 256',
  );
});
