export type { CoordinatorOptions, RunFile, RunOutcome } from './options.js';
export { runCoordinator } from './main.js';
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
