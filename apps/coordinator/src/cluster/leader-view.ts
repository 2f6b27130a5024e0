// What a standby knows of the run: it asks the leader now and then, so that whoever asks the standby gets the leader's
// answer. Its own memory holds nothing of a run that another process leads.
import { sleep, type Clock, type Log } from '@cria/runtime';
import type { RunStatus } from '../http/run-view.js';

export interface LeaderViewOptions {
  readonly runId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** HOST:PORT of the leader's HTTP API; null while this process leads, or when nobody is known to. */
  leaderAddress(): string | null;
}

const ASK_MS = 500;
const ANSWER_MS = 1000;

export class LeaderView {
  readonly #options: LeaderViewOptions;
  #status: RunStatus | null = null;

  constructor(options: LeaderViewOptions) {
    this.#options = options;
  }

  /** The leader's newest answer; null when nobody else leads or the leader does not answer. */
  get status(): RunStatus | null {
    return this.#status;
  }

  /** Asks until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      const address = this.#options.leaderAddress();
      try {
        this.#status = address === null ? null : await this.#ask(address, signal);
      } catch (error) {
        this.#status = null;
        log.debug({ address, error: String(error) }, 'the leader does not answer');
      }
      await sleep(clock, ASK_MS, signal).catch(() => undefined);
    }
  }

  async #ask(address: string, signal: AbortSignal): Promise<RunStatus | null> {
    const url = `http://${address}/api/runs/${this.#options.runId}`;
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]) });
    return response.ok ? ((await response.json()) as RunStatus) : null;
  }
}
