// Ledger entries that a worker holds, fetched as one more copy for the next recovery.
import { plainPeerClient } from '@cria/collective';
import { parseCopy, type LedgerCopy } from '@cria/ledger';
import { Content, type Term } from '@cria/protocol';
import { systemClock } from '@cria/runtime';

export interface WorkerEntriesOrder {
  readonly runId: string;
  /** Who asks. */
  readonly self: string;
  readonly worker: string;
  readonly address: string;
  readonly term: Term;
  /** First step that is wanted. */
  readonly from: number;
  /** Without a frame for this long it is given up. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

const MAX_BYTES = 2 ** 30;

/** Throws what PeerClient.pullPart throws; lines that cannot be read are left out. */
export async function fetchWorkerEntries(order: WorkerEntriesOrder): Promise<LedgerCopy> {
  const { runId, self, worker, address, term, from, stallMs, signal } = order;
  const client = plainPeerClient({ clock: systemClock });
  try {
    const request = {
      ...{ runId, to: worker, from: self, term, step: from, attempt: 0 },
      ...{ content: Content.CONTENT_LEDGER, part: from, offset: 0 },
    };
    const { bytes } = await client.pullPart(request, {
      ...{ address, stallMs, signal, notYetMs: stallMs },
      maxBytes: MAX_BYTES,
    });
    const lines = Buffer.from(bytes).toString('utf8').split('\n');
    return parseCopy(
      `worker ${worker}`,
      lines.filter((line) => line !== ''),
    ).copy;
  } finally {
    client.close();
  }
}
