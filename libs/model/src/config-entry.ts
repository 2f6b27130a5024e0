// @cria/model/config: sizes, layout, FLOPs, schedule. Loads no engine and no kernels; the coordinator imports this.
export { headSize, validateLlamaConfig } from './config/llama-config.js';
export type { LlamaConfig } from './config/llama-config.js';
export { PRESET_NAMES, presetConfig } from './config/presets.js';
export type { PresetName } from './config/presets.js';
export { LAYOUT_BLOCK, paddedLength, parameterLayout } from './config/parameter-layout.js';
export type { ParameterLayout, TensorLayout } from './config/parameter-layout.js';
export { flopsPerToken } from './config/flops.js';
export {
  configFromHuggingFace,
  END_OF_TEXT,
  generationConfig,
  huggingFaceConfig,
} from './config/hugging-face.js';
export type { JsonObject } from './config/hugging-face.js';
export { learningRate } from './optimizer/learning-rate.js';
export type { ScheduleConfig } from './optimizer/learning-rate.js';
export type { OptimizerConfig } from './optimizer/optimizer-config.js';
