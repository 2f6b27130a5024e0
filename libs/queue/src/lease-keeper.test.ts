import { coordinatorId, CriaError, FakeClock, silentLog } from '@cria/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { LeaseKeeper, type LeaseLoss } from './lease-keeper.js';
import type { Lease, RaiseResult, RenewResult, Term } from './lease.js';

const leader = coordinatorId('one');
const leaseMs = 3000;
const skewMs = 300;
const away = (): CriaError => new CriaError('REDIS_UNAVAILABLE', 'away');

/** A lease whose answers the test gives, one request at a time. */
class ScriptedLease implements Pick<Lease, 'renew' | 'raiseTerm' | 'release'> {
  readonly requests: Array<{ what: string; term: Term; answer: (value: unknown) => void; fail: () => void }> =
    [];

  renew(term: Term): Promise<RenewResult> {
    return this.#ask('renew', term);
  }
  raiseTerm(term: Term): Promise<RaiseResult> {
    return this.#ask('raise', term);
  }
  release(term: Term): Promise<{ kind: 'released' }> {
    return this.#ask('release', term);
  }
  #ask<T>(what: string, term: Term): Promise<T> {
    return new Promise((resolve, reject) => {
      this.requests.push({ what, term, answer: (value) => resolve(value as T), fail: () => reject(away()) });
    });
  }
}

let clock: FakeClock;
let lease: ScriptedLease;
let losses: LeaseLoss[];
let keeper: LeaseKeeper;

beforeEach(() => {
  clock = new FakeClock(10_000);
  lease = new ScriptedLease();
  losses = [];
  keeper = new LeaseKeeper(
    { kind: 'acquired', term: { number: 5, leader }, sentAtMs: 10_000 },
    {
      ...{ lease: lease as unknown as Lease, clock, log: silentLog, leaseMs, skewMs },
      ...{ at: () => ({ address: 'a', coordinators: [] }), onLost: (loss) => losses.push(loss) },
    },
  );
  keeper.start();
});

/** Lets promises settle. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function advance(byMs: number): Promise<void> {
  clock.advance(byMs);
  await settle();
}

describe('LeaseKeeper', () => {
  it('renews every third of the lease', async () => {
    await advance(999);
    expect(lease.requests).toHaveLength(0);
    await advance(1);
    expect(lease.requests).toMatchObject([{ what: 'renew', term: { number: 5, leader } }]);
    lease.requests[0]?.answer({ kind: 'renewed', sentAtMs: 11_000 });
    await settle();
    await advance(1000);
    expect(lease.requests).toHaveLength(2);
  });

  it('counts from when the successful renewal was sent, not from when it was answered', async () => {
    await advance(1000);
    await advance(500);
    lease.requests[0]?.answer({ kind: 'renewed', sentAtMs: 11_000 });
    await settle();
    expect(keeper.remainingMs()).toBe(11_000 + leaseMs - skewMs - 11_500);
  });

  it('stops relying on the lease leaseMs - skewMs after the last successful request, not later', async () => {
    await advance(leaseMs - skewMs - 1);
    expect(keeper.isHeld()).toBe(true);
    expect(losses).toEqual([]);
    await advance(1);
    expect(keeper.isHeld()).toBe(false);
    expect(losses).toEqual([{ reason: 'expired' }]);
  });

  it('stays lost when the answer comes too late, and says so once', async () => {
    await advance(1000);
    await advance(leaseMs);
    lease.requests[0]?.answer({ kind: 'renewed', sentAtMs: 11_000 });
    await settle();
    await advance(10 * leaseMs);
    expect(keeper.isHeld()).toBe(false);
    expect(losses).toHaveLength(1);
    expect(lease.requests).toHaveLength(1);
  });

  it('knows from the clock that the lease is gone even before a timer could fire', () => {
    const stopped = new (class extends FakeClock {
      shiftMs = 0;
      override monotonicMs(): number {
        return super.monotonicMs() + this.shiftMs;
      }
    })(0);
    const late = new LeaseKeeper(
      { kind: 'acquired', term: { number: 1, leader }, sentAtMs: 0 },
      {
        ...{ lease: lease as unknown as Lease, clock: stopped, log: silentLog, leaseMs, skewMs },
        ...{ at: () => ({ address: 'a', coordinators: [] }), onLost: (loss) => losses.push(loss) },
      },
    );
    late.start();
    stopped.shiftMs = 2 * leaseMs;
    expect(late.isHeld()).toBe(false);
    expect(losses).toEqual([]);
  });

  it('tries again within the time that is left when a renewal fails', async () => {
    await advance(1000);
    lease.requests[0]?.fail();
    await settle();
    await advance(250);
    expect(lease.requests).toHaveLength(2);
    lease.requests[1]?.answer({ kind: 'renewed', sentAtMs: 11_250 });
    await settle();
    await advance(leaseMs - skewMs - 1000);
    expect(keeper.isHeld()).toBe(true);
    expect(losses).toEqual([]);
  });

  it('is lost at once when Redis names another holder', async () => {
    await advance(1000);
    const holder = { number: 6, leader: coordinatorId('two'), address: 'b', coordinators: [] };
    lease.requests[0]?.answer({ kind: 'lost', holder });
    await settle();
    expect(losses).toEqual([{ reason: 'refused', holder }]);
    expect(keeper.isHeld()).toBe(false);
    await advance(10 * leaseMs);
    expect(losses).toHaveLength(1);
  });

  it('has one request under way at a time and renews with the raised number', async () => {
    await advance(1000);
    const raised = keeper.raiseTerm(7);
    await settle();
    expect(lease.requests).toMatchObject([{ what: 'renew' }]);
    lease.requests[0]?.answer({ kind: 'renewed', sentAtMs: 11_000 });
    await settle();
    expect(lease.requests.at(-1)).toMatchObject({ what: 'raise', term: { number: 5 } });
    lease.requests.at(-1)?.answer({ kind: 'held', number: 8 });
    expect(await raised).toEqual({ kind: 'held', number: 8 });
    expect(keeper.term).toEqual({ number: 8, leader });
    await advance(1000);
    expect(lease.requests.at(-1)).toMatchObject({ what: 'renew', term: { number: 8 } });
  });

  it('repeats a raise whose reply was lost before it renews again', async () => {
    const raised = keeper.raiseTerm(7);
    await settle();
    lease.requests[0]?.fail();
    await settle();
    await advance(1000);
    expect(lease.requests.map(({ what }) => what)).toEqual(['raise', 'raise']);
    lease.requests[1]?.answer({ kind: 'held', number: 8 });
    expect(await raised).toEqual({ kind: 'held', number: 8 });
  });

  it('says lost when a raise is refused', async () => {
    const raised = keeper.raiseTerm(7);
    await settle();
    lease.requests[0]?.answer({ kind: 'lost', holder: null });
    expect(await raised).toEqual({ kind: 'lost', holder: null });
    expect(losses).toEqual([{ reason: 'refused', holder: null }]);
  });

  it('is silent after stop', async () => {
    keeper.stop();
    await advance(10 * leaseMs);
    expect(lease.requests).toEqual([]);
    expect(losses).toEqual([]);
    expect(keeper.isHeld()).toBe(false);
  });

  it('gives the lease back after the request under way, and does not mind when it cannot', async () => {
    await advance(1000);
    const released = keeper.release();
    await settle();
    expect(lease.requests.map(({ what }) => what)).toEqual(['renew']);
    lease.requests[0]?.answer({ kind: 'renewed', sentAtMs: 11_000 });
    await settle();
    expect(lease.requests.at(-1)).toMatchObject({ what: 'release', term: { number: 5 } });
    lease.requests.at(-1)?.fail();
    await released;
    expect(losses).toEqual([]);
  });
});
