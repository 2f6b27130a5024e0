// Who may fetch what: another run's, another process's and yesterday's requests get nothing.
import { afterEach, expect, it } from 'vitest';
import { referenceKernels } from '@cria/kernels';
import { Content } from '@cria/protocol';
import type { FetchRequest } from '@cria/protocol';
import { CriaError, systemClock } from '@cria/runtime';
import { SLOTS, STEP, testCluster } from '../testing/test-cluster.js';
import { order, RUN_ID } from '../testing/test-member.js';
import { PeerClient } from '../wire/peer-client.js';

const startMembers = testCluster();
const client = new PeerClient({ kernels: referenceKernels, clock: systemClock });
afterEach(() => client.close());

const TERM = { number: 2, leader: 'c1' };
const ALL = Array.from({ length: SLOTS }, (_, slot) => slot);

/** A member alone that has prepared STEP in attempt 5 of term 2; what a Fetch of its part 0 brings. */
async function fetcher(): Promise<{
  fetch: (more: Partial<FetchRequest>, waitMs?: number) => Promise<string>;
  endStreams: () => Promise<void>;
}> {
  const [member] = await startMembers(1);
  await member!.compute(STEP, ALL);
  await member!.thread.begin(order([member!.set(ALL)], { term: TERM, attempt: 5, step: STEP }));
  const fetch = async (more: Partial<FetchRequest>, waitMs = 30_000): Promise<string> => {
    const request: FetchRequest = {
      ...{ runId: RUN_ID, to: 'w0', from: 'test', term: TERM, step: STEP, attempt: 5 },
      ...{ content: Content.CONTENT_ACC, part: 0, offset: 0 },
      ...more,
    };
    const options = { address: member!.address, stallMs: 30_000, maxBytes: 1 << 26 };
    return client.pullPart(request, { ...options, signal: AbortSignal.timeout(waitMs) }).then(
      () => 'given',
      (error: unknown) => (CriaError.is(error) ? error.code : 'still waiting'),
    );
  };
  return { fetch, endStreams: () => member!.thread.endStreams() };
}

it('serves the newest exchange, refuses strangers, calls the past stale and lets the future wait', async () => {
  const { fetch, endStreams } = await fetcher();
  expect(await fetch({})).toBe('given');
  expect(await fetch({ runId: 'another' })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ to: 'w1' })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ term: undefined })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ content: 9 as Content })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ part: 99 })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ part: 99, content: Content.CONTENT_REDUCED })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ part: 99, content: Content.CONTENT_STATE })).toBe('PROTOCOL_VIOLATION');
  expect(await fetch({ attempt: 4 })).toBe('TERM_STALE');
  expect(await fetch({ term: { number: 1, leader: 'c1' }, attempt: 9 })).toBe('TERM_STALE');
  expect(await fetch({ term: { number: 2, leader: 'c2' } })).toBe('TERM_STALE');
  expect(await fetch({ step: STEP - 1 })).toBe('TERM_STALE');
  expect(await fetch({ content: Content.CONTENT_STATE, term: { number: 1, leader: 'c1' } })).toBe(
    'TERM_STALE',
  );
  expect(await fetch({ attempt: 6 }, 500)).toBe('still waiting');
  expect(await fetch({ term: { number: 3, leader: 'c2' }, attempt: 0 }, 500)).toBe('still waiting');
  await endStreams();
  expect(await fetch({})).toBe('TERM_STALE');
  expect(await fetch({ content: Content.CONTENT_REDUCED })).toBe('given');
});
