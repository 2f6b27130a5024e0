// State by range: from several donors to a joiner, and stripes that a checkpoint still needs.
import { afterEach, describe, expect, it } from 'vitest';
import { partCount, partRange, referenceKernels } from '@cria/kernels';
import { Content } from '@cria/protocol';
import { CriaError, systemClock } from '@cria/runtime';
import { beginPartApply, endPartApply, setPosition } from '../state/training-state.js';
import type { SharedTrainingState } from '../state/training-state.js';
import { LENGTH, PARTS, testCluster } from '../testing/test-cluster.js';
import { RUN_ID } from '../testing/test-member.js';
import type { TestMember } from '../testing/test-member.js';
import { PeerClient } from '../wire/peer-client.js';
import { pullParts } from '../wire/pull-parts.js';
import { statePartDigest } from './state-keeper.js';

const startMembers = testCluster();
const TERM = { number: 1, leader: 'c1' };
const client = new PeerClient({ kernels: referenceKernels, clock: systemClock });
afterEach(() => client.close());

/** Parameters and moments that name their index and position. */
function fill(state: SharedTrainingState, position: number): void {
  for (let i = 0; i < LENGTH; i += 100) {
    state.params[i] = i + position;
    state.expAvg[i] = -i - position;
    state.expAvgSq[i] = position;
  }
}

/** `toEqual` takes seconds for millions of values. */
function sameBytes(a: Float32Array, b: Float32Array): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Buffer =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}

function apply(state: SharedTrainingState, part: number): void {
  beginPartApply(state, part);
  const { from, to } = partRange(part, LENGTH);
  state.params.fill(-1, from, to);
  endPartApply(state, part);
}

const endpoint = ({ id, address }: TestMember): { id: string; address: string } => ({ id, address });

/** Pulls parts as a coordinator does; returns position and first parameter of each. */
async function pullAsCoordinator(
  from: TestMember,
  step: number,
  parts: number[],
): Promise<Array<[number, number, number]>> {
  const seen: Array<[number, number, number]> = [];
  await pullParts(
    client,
    {
      ...{ runId: RUN_ID, to: from.id, from: 'c1', term: TERM, step, attempt: 0 },
      content: Content.CONTENT_STATE,
    },
    parts,
    {
      ...{ address: from.address, stallMs: 2000, maxBytes: 1 << 26, inFlight: 2 },
      signal: new AbortController().signal,
      onPart: (part, { header, bytes }) => {
        expect(statePartDigest(referenceKernels, bytes, partRange(part, LENGTH).from)).toBe(header.digest);
        seen.push([part, header.position, new Float32Array(bytes.buffer, 0, 1)[0]!]);
      },
    },
  );
  return seen.sort((a, b) => a[0] - b[0]);
}

describe('pulling the state', () => {
  it('tags every part with its donor position and writes it whole', async () => {
    // A donor that is only slow must not be passed over.
    const patient = () => ({ timings: { stallMs: 30_000 } });
    const [a, b, joiner] = (await startMembers(3, patient)) as [TestMember, TestMember, TestMember];
    for (const donor of [a, b]) {
      fill(donor.state, 3);
      setPosition(donor.state, 3);
    }
    apply(b.state, 1);
    const arrived = await joiner.thread.pullState({
      ...{ term: TERM, step: 3, donors: [endpoint(a), endpoint(b)] },
      parts: [0, 1, 2],
    });
    expect(arrived).toEqual([
      { part: 0, position: 3 },
      { part: 1, position: 4 },
      { part: 2, position: 3 },
    ]);
    expect(joiner.state.params[partRange(1, LENGTH).from]).toBe(-1);
    expect(sameBytes(joiner.state.expAvg, a.state.expAvg)).toBe(true);
    expect(joiner.state.params.subarray(0, 101)).toEqual(a.state.params.subarray(0, 101));
    expect([...joiner.state.partVersion]).toEqual([6, 8, 6]);
  });

  it('takes the next donor when one is gone, and says so when none is left', async () => {
    const [a, b, joiner] = (await startMembers(3, () => ({ timings: { stallMs: 3000 } }))) as TestMember[];
    await a!.thread.stop();
    const donors = [endpoint(a!), endpoint(b!)];
    const arrived = await joiner!.thread.pullState({ term: TERM, step: 0, donors, parts: [0, 1, 2] });
    expect(arrived.length).toBe(partCount(LENGTH));
    await b!.thread.stop();
    const pulled = joiner!.thread.pullState({ term: TERM, step: 0, donors, parts: [0] });
    await expect(pulled).rejects.toSatisfy((e) => CriaError.is(e) && e.code === 'PEER_UNREACHABLE');
  });

  it('stops when it is told to', async () => {
    const [joiner] = await startMembers(1);
    const abort = new AbortController();
    const donors = [{ id: 'nobody', address: '127.0.0.1:1' }];
    const pulled = joiner!.thread.pullState({ term: TERM, step: 0, donors, parts: [0] }, abort.signal);
    abort.abort();
    await expect(pulled).rejects.toSatisfy((e) => CriaError.is(e) && e.code === 'EXCHANGE_ABORTED');
  });
});

describe('a checkpoint stripe', () => {
  it('stays at its position until it was pulled, whatever is applied meanwhile', async () => {
    const [member] = (await startMembers(1)) as [TestMember];
    fill(member.state, 8);
    setPosition(member.state, 8);
    await member.thread.preserve(8, [0, 1]);
    expect(await pullAsCoordinator(member, 8, [0])).toEqual([[0, 8, 8]]);
    await member.thread.secureStripe();
    for (let part = 0; part < PARTS; part++) apply(member.state, part);
    const [, position, first] = (await pullAsCoordinator(member, 8, [1]))[0]!;
    expect(position).toBe(8);
    expect(first).not.toBe(-1);
    await member.event((event) => event.kind === 'stripe-pulled' && event.position === 8);
    expect(await pullAsCoordinator(member, 8, [0, 1, 2])).toEqual([
      [0, 9, -1],
      [1, 9, -1],
      [2, 9, -1],
    ]);
  });

  it('leaves out a part that has gone on already: its puller sees the other position', async () => {
    const [member] = (await startMembers(1)) as [TestMember];
    setPosition(member.state, 2);
    apply(member.state, 1);
    await member.thread.preserve(2, [0, 1]);
    await member.thread.secureStripe();
    for (let part = 0; part < PARTS; part++) apply(member.state, part);
    const positions = (await pullAsCoordinator(member, 2, [0, 1])).map(([, position]) => position);
    expect(positions).toEqual([2, 4]);
  });

  it('is given up on request', async () => {
    const [member] = (await startMembers(1)) as [TestMember];
    setPosition(member.state, 2);
    await member.thread.preserve(2, [0]);
    await member.thread.secureStripe();
    await member.thread.releaseStripe();
    apply(member.state, 0);
    expect((await pullAsCoordinator(member, 2, [0]))[0]).toEqual([0, 3, -1]);
  });
});

describe('ledger lines', () => {
  it('can be fetched from a step on, as far as they have no gap', async () => {
    const [member] = (await startMembers(1)) as [TestMember];
    for (const step of [2, 5, 6, 7]) await member.thread.keepEntry(step, `{"step":${step}}`);
    const request = {
      ...{ runId: RUN_ID, to: member.id, from: 'c1', term: TERM, step: 0, attempt: 0 },
      ...{ content: Content.CONTENT_LEDGER, part: 6, offset: 0 },
    };
    const options = {
      ...{ address: member.address, stallMs: 2000, maxBytes: 1 << 26 },
      signal: new AbortController().signal,
    };
    const { bytes } = await client.pullPart(request, options);
    expect(Buffer.from(bytes).toString()).toBe('{"step":6}\n{"step":7}\n');
    const before = client.pullPart({ ...request, part: 4 }, options);
    await expect(before).rejects.toThrow(/lines begin at step 5/);
    await member.thread.dropEntries(7);
    await expect(client.pullPart(request, options)).rejects.toThrow(/lines begin at step 7/);
  });
});
