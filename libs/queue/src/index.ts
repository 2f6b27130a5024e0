export { connectRedis, isRetryable } from './connection.js';
export type { ConnectOptions, RedisConnection } from './connection.js';
export { displayUrl } from './redis-url.js';
export { redisServerPid } from './server-pid.js';
export { startLocalRedis } from './local-redis.js';
export type { LocalRedis, LocalRedisOptions, RedisExit } from './local-redis.js';
export { runPrefix, RUNS_KEY } from './keys.js';

export { redisRunRegistry } from './run-registry.js';
export type { RunRegistry } from './run-registry.js';
export type { ClaimRequest, ClaimResult, RefillResult, RunRecord, RunState } from './run-record.js';

export { redisLease } from './lease.js';
export type {
  AcquireResult,
  LeaderAddress,
  Lease,
  LeaseHolder,
  LeaseLost,
  RaiseResult,
  ReleaseResult,
  RenewResult,
  Term,
} from './lease.js';
export { LeaseKeeper } from './lease-keeper.js';
export type { LeaseKeeperOptions, LeaseLoss } from './lease-keeper.js';

export { redisCoordinatorRoster } from './coordinator-roster.js';
export type { CoordinatorInfo, CoordinatorRoster, SeenCoordinator } from './coordinator-roster.js';

export { redisLedgerTail } from './ledger-tail.js';
export type {
  AppendResult,
  Fenced,
  LedgerTail,
  RefillTailResult,
  TailEntry,
  TailHead,
} from './ledger-tail.js';

export { redisDesired } from './desired.js';
export type { Desired, DesiredChange, DesiredStore, SetDesiredResult } from './desired.js';

export { redisSeatsOffer } from './seats-offer.js';
export type { SeatsOffer, SeatsOfferOptions, SetWaitingResult, TakenInvitation } from './seats-offer.js';
export { redisSeatTaker } from './seat-taker.js';
export type { SeatTaker, SeatTakerOptions, TakenSeat } from './seat-taker.js';

export { redisShardsBoard } from './shards-board.js';
export type { ShardsBoard, ShardsBudget } from './shards-board.js';
export { shardWindows } from './shard-windows.js';
export type { ShardWindow } from './shard-windows.js';

export { readRunCounts } from './run-counts.js';
export type { RunCounts } from './run-counts.js';
