// `@cria/metrics/log`: what a program needs that logs a run, and nothing that reads one.
export { init } from './init.js';
export type { InitOptions, InitSurroundings } from './init.js';
export { LoggedRun } from './logged-run.js';
export type { LogOptions } from './logged-run.js';
export type { MetricValues } from './metric-values.js';
