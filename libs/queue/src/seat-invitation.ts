// A seat on offer is a waiting job that lives a few seconds at most: from the leader's offer to the worker's
// Hello. Its id names the leadership that offered it, so that a new leader recognises what it has to clear away.
import { randomId, type CoordinatorId } from '@cria/runtime';
import type { LeaderAddress, Term } from './lease.js';

/** The job's data: where to say Hello. */
export interface InvitationData extends LeaderAddress {
  readonly runName: string;
  readonly number: number;
  readonly leader: CoordinatorId;
  /** How long the worker has until its Hello. */
  readonly seatMs: number;
}

/** `seat-<term number>-<random>`: no ':' (BullMQ forbids it), never used twice even after a FLUSHALL. */
export function invitationId(term: Term): string {
  return `seat-${term.number}-${randomId(6)}`;
}

/** The term number that an id names; null for a job that is none of ours. */
export function invitationNumber(jobId: string): number | null {
  const number = /^seat-(\d+)-[0-9a-f]+$/.exec(jobId)?.[1];
  return number === undefined ? null : Number(number);
}
