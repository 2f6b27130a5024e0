import { CriaError } from '@cria/runtime';
import type { LlamaConfig } from './llama-config.js';

const QUICKSTART: LlamaConfig = {
  hiddenSize: 256,
  intermediateSize: 1024,
  layers: 4,
  heads: 8,
  kvHeads: 2,
  vocabSize: 50304,
  maxPositions: 256,
  tieEmbeddings: true,
  ropeTheta: 10_000,
  rmsNormEps: 1e-6,
  initStd: 0.02,
};

/** ahxt/LiteLlama-460M-1T, from its config.json: 461,685,760 parameters. */
const LITELLAMA_460M: LlamaConfig = {
  hiddenSize: 1024,
  intermediateSize: 4096,
  layers: 24,
  heads: 16,
  kvHeads: 2,
  vocabSize: 50304,
  maxPositions: 1024,
  tieEmbeddings: false,
  ropeTheta: 10_000,
  rmsNormEps: 1e-6,
  initStd: 0.02,
};

const PRESETS = { quickstart: QUICKSTART, 'litellama-460m': LITELLAMA_460M } as const;

export type PresetName = keyof typeof PRESETS;

/** In the order in which help texts list them. */
export const PRESET_NAMES = Object.keys(PRESETS) as readonly PresetName[];

/**
 * The named configuration.
 *
 * @throws CONFIG_INVALID listing the names there are
 */
export function presetConfig(name: string): LlamaConfig {
  if (Object.hasOwn(PRESETS, name)) return PRESETS[name as PresetName];
  throw new CriaError(
    'CONFIG_INVALID',
    `there is no model preset "${name}"; there are ${PRESET_NAMES.join(', ')}`,
  );
}
