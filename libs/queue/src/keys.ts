// Every key of one run, in one place. The braces are written literally: they are Redis' hash tag, so that all
// keys of a run share a slot and a script may touch several of them on a cluster too.
import { assert, type RunId } from '@cria/runtime';

/** The hash of all runs of this Redis: name -> {@link import('./run-record.js').RunRecord} as JSON. */
export const RUNS_KEY = 'cria:runs';

/** Pub/sub channel on which an offer of seats is announced; the message is the run's id. */
export const SEATS_CHANNEL = 'cria:seats-offered';

/** `cria:{id}`: what every other key of the run starts with, and the prefix of its BullMQ queues. */
export function runPrefix(runId: RunId): string {
  assert(/^[A-Za-z0-9_-]+$/.test(runId), `a run id holds letters, digits, - and _ only: ${runId}`);
  return `cria:{${runId}}`;
}

/** Hash {number, leader, address, coordinators}, expires with the lease. */
export const leaseKey = (runId: RunId): string => `${runPrefix(runId)}:lease`;

/** The highest term number ever given out; outlives the lease. */
export const termKey = (runId: RunId): string => `${runPrefix(runId)}:term`;

/** Hash step -> entry record as JSON. */
export const ledgerKey = (runId: RunId): string => `${runPrefix(runId)}:ledger`;

/** Hash {step, mathHash, first}: the newest entry and the lowest step that is kept. */
export const headKey = (runId: RunId): string => `${runPrefix(runId)}:head`;

/** Where a refill gathers its entries before they replace the ledger in one go. */
export const refillKey = (runId: RunId, number: number, leader: string): string =>
  `${runPrefix(runId)}:refill:${number}:${leader}`;

/** Hash {revision, body}; also the name of the channel on which changes are announced. */
export const desiredKey = (runId: RunId): string => `${runPrefix(runId)}:desired`;

/** Hash coordinator id -> what it says about itself. */
export const rosterKey = (runId: RunId): string => `${runPrefix(runId)}:coordinators`;

/** Sorted set coordinator id by the server time of its last announcement, ms. */
export const rosterSeenKey = (runId: RunId): string => `${runPrefix(runId)}:coordinators:seen`;

/** BullMQ's own keys of a run's queue, for reading only. */
export const queueKey = (runId: RunId, queue: 'seats' | 'shards', part: string): string =>
  `${runPrefix(runId)}:${queue}:${part}`;
