export { createNativeEngine } from './native-engine.js';
export { measureTraining } from './measure-training.js';
export type { StepParts, TrainingMeasurement, TrainingResult } from './measure-training.js';
export type { NativeEngineOptions } from './native-engine.js';
