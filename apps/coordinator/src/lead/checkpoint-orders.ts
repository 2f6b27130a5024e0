// Checkpoints as a leadership orders them: one at a time, published when all who deliver a part report the same state.
import type { Term } from '@cria/queue';
import { CriaError, sleep, type WorkerId } from '@cria/runtime';
import type { StripeOrder } from '../decide/leader-events.js';
import type { Leadership } from './leadership.js';

const APPLIED_WAIT_MS = 120_000;
const APPLIED_POLL_MS = 20;
const APPLIED_KEPT = 64;

export class CheckpointOrders {
  readonly #leadership: Leadership;
  readonly #term: Term;
  /** Digests of state[step] as members report them. */
  readonly #applied = new Map<number, Map<WorkerId, string>>();
  #abort: AbortController | null = null;
  #count = 0;

  constructor(leadership: Leadership, term: Term) {
    this.#leadership = leadership;
    this.#term = term;
  }

  pull(step: number, stripes: StripeOrder): void {
    const { context, ledger, signal: over } = this.#leadership;
    const abort = new AbortController();
    this.#abort = abort;
    const signal = AbortSignal.any([over, abort.signal]);
    const { mathHash, opsHash } = ledger.entry(step - 1) ?? ledger.head;
    const stateDigest = this.#agreed(step, stripes, signal);
    // Whoever writes asks for it late, or fails before.
    stateDigest.catch(() => undefined);
    const written = context.checkpoints.write({
      step,
      sources: stripes.map((stripe) => ({ ...stripe, address: this.#leadership.addressOf(stripe.worker) })),
      term: this.#term,
      number: ++this.#count,
      head: { mathHash, opsHash },
      signal,
      stateDigest,
    });
    void written.then(
      (manifest) => {
        const text = `checkpoint of step ${step} written (state ${manifest.stateSha256.slice(0, 12)})`;
        context.recorder.event('checkpoint-written', step, text);
        this.#leadership.post({ kind: 'checkpoint-written', step });
        void ledger.cutRedis(context.checkpoints.steps());
      },
      (error: unknown) => {
        // An order that was taken back has failed already.
        if (abort.signal.aborted) return;
        this.#leadership.post({ kind: 'checkpoint-failed', step, why: CriaError.from(error).message });
      },
    );
  }

  /** A worker that holds a stripe is gone: the others need not be pulled from. */
  abandon(): void {
    this.#abort?.abort(new CriaError('EXCHANGE_ABORTED', 'a worker with a stripe is gone'));
  }

  /** A member reports what it has applied. */
  applied(step: number, worker: WorkerId, digest: string): void {
    const reported = this.#applied.get(step) ?? new Map<WorkerId, string>();
    this.#applied.set(step, reported.set(worker, digest));
    for (const old of this.#applied.keys()) {
      if (this.#applied.size <= APPLIED_KEPT) break;
      this.#applied.delete(old);
    }
  }

  /** Digest of state[step] as all who deliver a part of it report. */
  async #agreed(step: number, stripes: StripeOrder, signal: AbortSignal): Promise<string> {
    const { context } = this.#leadership;
    const deadlineMs = this.#leadership.nowMs() + APPLIED_WAIT_MS;
    for (;;) {
      const digests = stripes.map(({ worker }) => this.#reported(step, worker));
      const [first = null] = digests;
      if (first !== null && digests.every((digest) => digest !== null)) {
        if (digests.every((digest) => digest === first)) return first;
        throw new CriaError('STATE_DAMAGED', `members report different states of step ${step}`);
      }
      if (this.#leadership.nowMs() > deadlineMs)
        throw new CriaError('DEADLINE_EXCEEDED', `nobody reported the state of step ${step}`);
      await sleep(context.clock, APPLIED_POLL_MS, signal);
    }
  }

  #reported(step: number, worker: WorkerId): string | null {
    const record = this.#leadership.state.workers.get(worker);
    const known = record?.position === step ? record.appliedDigest : null;
    return this.#applied.get(step)?.get(worker) ?? known;
  }
}
