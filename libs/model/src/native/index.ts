export { createNativeEngine } from './native-engine.js';
export type { NativeEngineOptions } from './native-engine.js';
