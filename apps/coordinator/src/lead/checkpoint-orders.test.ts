import { genesisPoint } from '@cria/ledger';
import { coordinatorId, FakeClock, runId, workerId } from '@cria/runtime';
import { expect, it } from 'vitest';
import type { LeaderEvent } from '../decide/leader-events.js';
import { CheckpointOrders } from './checkpoint-orders.js';
import type { Leadership } from './leadership.js';

const A = workerId('a');

/** What an order needs of a leadership; `write` is never through, or as given. */
function leadership(write: () => Promise<never>): { fake: Leadership; posted: LeaderEvent[] } {
  const clock = new FakeClock();
  const posted: LeaderEvent[] = [];
  const fake = {
    context: { clock, checkpoints: { write } },
    ledger: { entry: () => null, head: genesisPoint(runId('r'), 'genesis') },
    signal: new AbortController().signal,
    state: { workers: new Map() },
    nowMs: () => clock.monotonicMs(),
    addressOf: () => 'a:1',
    post: (event: LeaderEvent) => posted.push(event),
  };
  return { fake: fake as unknown as Leadership, posted };
}

function ordered(write: () => Promise<never>): { orders: CheckpointOrders; posted: LeaderEvent[] } {
  const { fake, posted } = leadership(write);
  const orders = new CheckpointOrders(fake, { number: 1, leader: coordinatorId('c') });
  orders.pull(4, [{ worker: A, firstPart: 0, endPart: 1 }]);
  return { orders, posted };
}

// An unhandled rejection, which ends a coordinator, fails the test run as well.
it('ends quietly when it is taken back before anybody has asked for its digest', async () => {
  const { orders, posted } = ordered(() => new Promise<never>(() => undefined));
  orders.abandon();
  await new Promise((resolve) => setImmediate(resolve));
  expect(posted).toEqual([]);
});

it('says why when it cannot be written', async () => {
  const { posted } = ordered(() => Promise.reject(new Error('no room')));
  await new Promise((resolve) => setImmediate(resolve));
  expect(posted).toMatchObject([{ kind: 'checkpoint-failed', step: 4, why: 'no room' }]);
});
