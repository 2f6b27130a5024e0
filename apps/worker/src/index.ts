export type { WorkerOptions } from './options.js';
export { runWorker } from './main.js';
export { SoloTrainer } from './replay/solo-trainer.js';
export type { SoloOptions, SoloStep } from './replay/solo-trainer.js';
