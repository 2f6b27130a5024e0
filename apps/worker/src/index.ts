export type { WorkerOptions } from './options.js';
export { runWorker } from './main.js';
