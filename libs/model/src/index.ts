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
export { initialParameters } from './init/initial-parameters.js';
export { learningRate } from './optimizer/learning-rate.js';
export type { ScheduleConfig } from './optimizer/learning-rate.js';
export type { OptimizerConfig } from './optimizer/optimizer-config.js';
export { clipFactor, optimizerStep } from './optimizer/optimizer-step.js';
export type { OptimizerStep } from './optimizer/optimizer-step.js';
export { lossFromBits, lossToBits } from './engine/engine.js';
export type { Engine, GradientSink, SlotResult } from './engine/engine.js';
export { demandsOf, fingerprintText } from './engine/fingerprint.js';
export type { EngineDemands, EngineFingerprint } from './engine/fingerprint.js';
export { createEngine } from './engine/create-engine.js';
export type { EngineOptions } from './engine/create-engine.js';
export { chooseBackend } from './tfjs/choose-backend.js';
export { installedTensorFlow } from './tfjs/installed-tensorflow.js';
export type { BackendChoice, BackendName } from './tfjs/choose-backend.js';
export { generate } from './sampling/generate.js';
export type { GenerateOptions } from './sampling/generate.js';
export { sampleToken } from './sampling/sample-token.js';
export type { SamplingOptions } from './sampling/sample-token.js';
