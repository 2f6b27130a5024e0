export {
  beginPartApply,
  clearPosition,
  createTrainingState,
  endPartApply,
  partPosition,
  readPartStable,
  setPosition,
  STATE_BYTES_PER_VALUE,
  writePart,
} from './state/training-state.js';
export type { SharedTrainingState, StatePart } from './state/training-state.js';
export { ReportPart } from './report/report-part.js';
export type { SlotResult } from './report/report-part.js';
export { faultySlots, ownedParts, ownerIndex, sameSlots } from './plan/exchange-plan.js';
export { ExchangeThread } from './thread/exchange-thread.js';
export type { ExchangeThreadOptions } from './thread/exchange-thread.js';
export type { StartOptions, TapModule } from './thread/messages.js';
export { ExchangeNode } from './exchange/exchange-node.js';
export type { ExchangeNodeOptions } from './exchange/exchange-node.js';
export type {
  BlockedEvent,
  ExchangeEvent,
  ExchangeOrder,
  ExchangeOutcome,
  Prepared,
} from './exchange/order.js';
export { DEFAULT_TIMINGS } from './exchange/settings.js';
export type { ExchangeSettings, ExchangeTimings } from './exchange/settings.js';
export type { HeldReduced } from './exchange/reduced-store.js';
export type { PassedParts } from './exchange/slot-registry.js';
export type { ArrivedPart, StatePullOrder } from './exchange/state-pull.js';
export { statePartDigest } from './exchange/state-keeper.js';
export { PeerClient } from './wire/peer-client.js';
export type { PeerClientOptions, PullOptions } from './wire/peer-client.js';
export { PeerServer } from './wire/peer-server.js';
export type { PeerServerOptions } from './wire/peer-server.js';
export { pullParts } from './wire/pull-parts.js';
export type { PullPartsOptions } from './wire/pull-parts.js';
export { Change } from './wire/change.js';
export type { AvailablePart, FrameTap, PartAnswer, PartSource } from './wire/part-source.js';
export type { PulledPart } from './wire/part-receiver.js';
export type { PartHeader } from './wire/part-header.js';
export { plainPeerClient, plainPeerServer } from './wire/peer-endpoints.js';
export { stateDigestOfParts, statePartFacts } from './state/state-parts.js';
export type { StatePartFacts } from './state/state-parts.js';
export { benchExchange } from './bench/bench-exchange.js';
export type { BenchExchangeOptions, BenchExchangeResult } from './bench/bench-exchange.js';
