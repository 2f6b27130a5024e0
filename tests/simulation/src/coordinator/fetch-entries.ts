// Ledger entries that a worker holds, as one more copy for the next recovery
// (apps/coordinator/src/ledger/worker-entries.ts). What verifies is decided by the real code.
import { pointAfter, verifiedEnd, type LedgerCopy } from '@cria/ledger';
import type { WorkerId } from '@cria/runtime';
import { parseEntry } from '../model/entry-line.js';
import { pullPart, type PeerRequest } from '../worker/peer.js';
import type { Abort, Task } from '../world/future.js';
import type { Leadership } from './leadership.js';
import { genesisOf } from './ledger-keeper.js';

export function* fetchEntries(
  leadership: Leadership,
  { worker, from, abort }: { worker: WorkerId; from: number; abort: Abort },
  take: (copy: LedgerCopy) => void,
): Task {
  const { cluster, process, term, ledger } = leadership;
  const { suspectMs } = cluster.timeouts;
  const request: PeerRequest = {
    ...{ to: worker, from: process.id, term, step: from, attempt: 0 },
    content: 'ledger',
    part: from,
  };
  const { lines } = yield* pullPart(cluster, process, request, {
    ...{ address: leadership.addressOf(worker), stallMs: suspectMs, notYetMs: suspectMs, abort },
  });
  const copy = { source: `worker ${worker}`, entries: (lines ?? []).map(parseEntry) };
  take(copy);
  const newest = ledger.entry(ledger.length - 1);
  const head = newest === null ? genesisOf(cluster) : pointAfter(newest);
  leadership.post({ kind: 'entries-fetched', worker, end: verifiedEnd(copy, head) });
}
