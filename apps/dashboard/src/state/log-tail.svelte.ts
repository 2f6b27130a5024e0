// The tail of one log file: the newest lines, then whatever follows, asked for once a second while it is followed.
import { fetchLogs } from '../api/client';
import type { LogLine, LogSource } from '../api/types';
import { after } from '../browser-clock';

const POLL_MS = 1_000;
const LIMIT = 500;
/** Lines kept on the page. */
const KEPT = 5_000;

export interface NumberedLine extends LogLine {
  readonly number: number;
}

export class LogTail {
  lines = $state.raw<readonly NumberedLine[]>([]);
  sources = $state.raw<readonly LogSource[]>([]);
  source = $state<string | null>(null);
  loaded = $state(false);
  problem = $state<string | null>(null);
  readonly #run: string;
  readonly #worker: string | null;
  readonly #level: string | null;
  readonly #abort = new AbortController();
  #next: string | null = null;
  #count = 0;
  #cancel: () => void = () => undefined;

  constructor(run: string, worker: string | null, level: string | null) {
    this.#run = run;
    this.#worker = worker;
    this.#level = level;
  }

  start(): void {
    void this.#poll();
  }

  stop(): void {
    this.#abort.abort();
    this.#cancel();
  }

  async #poll(): Promise<void> {
    const { signal } = this.#abort;
    let isMore = false;
    try {
      const request = { worker: this.#worker, level: this.#level, after: this.#next, limit: LIMIT };
      const page = await fetchLogs(this.#run, request, signal);
      this.#next = page.next;
      this.sources = page.sources;
      this.source = page.source;
      this.#append(page.lines);
      this.problem = null;
      this.loaded = true;
      isMore = page.more;
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
    if (!signal.aborted) this.#cancel = after(isMore ? 0 : POLL_MS, () => void this.#poll());
  }

  #append(lines: readonly LogLine[]): void {
    if (lines.length === 0) return;
    const numbered = lines.map((line) => ({ ...line, number: this.#count++ }));
    this.lines = [...this.lines, ...numbered].slice(-KEPT);
  }
}
