export type { CoordinatorOptions, RunFile, RunOutcome } from './options.js';
export { runCoordinator } from './main.js';
export { serveRuns } from './serve-runs.js';
export type { ServedRuns, ServeRunsOptions } from './serve-runs.js';
export type {
  CheckpointView,
  LiveMessage,
  MemberView,
  RunEvent,
  RunEventKind,
  RunStatus,
  RunView,
  StepMetrics,
} from './http/run-view.js';
export { benchControl } from './bench/bench-control.js';
export type { BenchControlResult } from './bench/bench-control.js';
