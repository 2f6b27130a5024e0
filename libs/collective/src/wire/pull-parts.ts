// Pulling many parts without an exchange: a coordinator's checkpoint stripes, a worker that loads from a coordinator.
import type { FetchRequest } from '@cria/protocol';
import { forEachLimited } from './limited.js';
import type { PulledPart } from './part-receiver.js';
import type { PeerClient, PullOptions } from './peer-client.js';

export interface PullPartsOptions extends PullOptions {
  /** Parts under way at a time. */
  readonly inFlight: number;
  /** Called for each part as it is complete, in no particular order; the next one waits for it. */
  readonly onPart: (part: number, pulled: PulledPart) => void | Promise<void>;
}

/**
 * Pulls `parts` of one content from one peer.
 *
 * @param request everything but part and offset
 * @throws what {@link PeerClient.pullPart} throws, for the first part that fails
 */
export async function pullParts(
  client: PeerClient,
  request: Omit<FetchRequest, 'part' | 'offset'>,
  parts: readonly number[],
  options: PullPartsOptions,
): Promise<void> {
  await forEachLimited(parts, options.inFlight, async (part) => {
    const pulled = await client.pullPart({ ...request, part, offset: 0 }, options);
    await options.onPart(part, pulled);
  });
}
