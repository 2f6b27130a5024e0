// Pulls ranges of the state from several donors at once, for a process that joins.
import { Content } from '@cria/protocol';
import type { Endpoint, Term } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import { partRange } from '@cria/kernels';
import { CriaError } from '@cria/runtime';
import { STATE_BYTES_PER_VALUE, writePart } from '../state/training-state.js';
import type { PeerClient } from '../wire/peer-client.js';
import { forEachLimited } from '../wire/limited.js';
import type { ExchangeSettings } from './settings.js';
import { statePartDigest } from './state-keeper.js';

const PARTS_IN_FLIGHT_PER_DONOR = 2;

export interface StatePullOrder {
  readonly term: Term;
  /** Position wanted: a kept copy of it is preferred, otherwise the donor's live part is what comes. */
  readonly step: number;
  readonly donors: readonly Endpoint[];
  readonly parts: readonly number[];
}

/** At which position a part arrived. */
export interface ArrivedPart {
  readonly part: number;
  readonly position: number;
}

/**
 * Writes the parts into the shared state, each at the donor's position; parts are spread over the donors, and a donor
 * that fails is replaced by the next.
 *
 * @throws the last donor's error when none could give a part
 */
export async function pullState(
  order: StatePullOrder,
  context: {
    client: PeerClient;
    kernels: Kernels;
    settings: ExchangeSettings;
    signal: AbortSignal;
  },
): Promise<ArrivedPart[]> {
  const arrived: ArrivedPart[] = [];
  const limit = PARTS_IN_FLIGHT_PER_DONOR * order.donors.length;
  await forEachLimited(order.parts, limit, async (part) => {
    arrived.push({ part, position: await pullFromSome(part, order, context) });
  });
  return arrived.sort((a, b) => a.part - b.part);
}

async function pullFromSome(
  part: number,
  order: StatePullOrder,
  context: Parameters<typeof pullState>[1],
): Promise<number> {
  let failure = new CriaError('PEER_UNREACHABLE', `there is no donor for part ${part} of the state`);
  for (let turn = 0; turn < order.donors.length; turn++) {
    const donor = order.donors[(part + turn) % order.donors.length];
    try {
      return await pullFrom(donor, part, order, context);
    } catch (error) {
      if (context.signal.aborted) throw error;
      failure = CriaError.from(error);
    }
  }
  throw failure;
}

async function pullFrom(
  donor: Endpoint,
  part: number,
  { term, step }: StatePullOrder,
  { client, kernels, settings, signal }: Parameters<typeof pullState>[1],
): Promise<number> {
  const { state, runId, workerId, timings } = settings;
  const { from, to } = partRange(part, state.params.length);
  const expectedBytes = STATE_BYTES_PER_VALUE * (to - from);
  const { header, bytes } = await client.pullPart(
    {
      ...{ runId, to: donor.id, term, step, attempt: 0, content: Content.CONTENT_STATE },
      ...{ part, offset: 0, from: workerId },
    },
    {
      address: donor.address,
      stallMs: timings.stallMs,
      notYetMs: 4 * timings.stallMs,
      maxBytes: expectedBytes,
      signal,
    },
  );
  const isWhole = bytes.length === expectedBytes && statePartDigest(kernels, bytes, from) === header.digest;
  if (!isWhole) {
    throw new CriaError('PEER_DAMAGED', `part ${part} of ${donor.id}'s state does not match its digest`, {
      context: { peer: donor.id, part },
    });
  }
  writePart(state, part, { position: header.position, bytes });
  return header.position;
}
