export { PROTOCOL_VERSION, versionConflict } from './version.js';
export { runConfigSchema, DEFAULT_GRID_BITS } from './config/run-config.js';
export type { RunConfig } from './config/run-config.js';
export {
  formatRunConfig,
  parseOverride,
  parseRunConfig,
  parseYaml,
  validateRunConfig,
} from './config/parse-config.js';
export type { Override } from './config/parse-config.js';
export {
  genesisOf,
  gridBitsOf,
  canonicalJson,
  mathematicalDifferences,
  mathematicalPart,
} from './config/genesis.js';
export type { GenesisInputs } from './config/genesis.js';
export type { Term, Endpoint, MemberSet, Stripe } from './generated/cria/v1/common.js';
export { Content, FetchRequest } from './generated/cria/v1/peer.js';
export {
  BlockedKind,
  ControlClient,
  ControlService,
  FromLeader,
  FromWorker,
  Role,
} from './generated/cria/v1/control.js';
export type {
  Applied,
  AttemptMark,
  Blocked,
  Commit,
  ControlServer,
  DescribeReply,
  DescribeRequest,
  Evaluate,
  Evaluated,
  EvaluatedSequence,
  EvaluateSequence,
  Evict,
  Exchange,
  ExchangeStats,
  GpuUse,
  Grant,
  Hello,
  LeaderHeartbeat,
  Leave,
  Prepare,
  Reduced,
  Release,
  Released,
  SlotDone,
  SlotGrant,
  SpareResult,
  Store,
  Stored,
  Welcome,
  WorkerHeartbeat,
} from './generated/cria/v1/control.js';
