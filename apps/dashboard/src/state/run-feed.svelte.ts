// Everything the page knows about its run except the curves: read once, then kept by the live stream; read again when
// the stream says that something was missed, or that another coordinator speaks now.
import { every, nowMs, after } from '../browser-clock';
import { fetchCheckpoints, fetchEvents, fetchSummary, listRuns } from '../api/client';
import { LiveConnection } from '../api/live-connection';
import type { Checkpoint, Hello, RunEvent, RunStatus, StepRow } from '../api/types';

const RETRY_MS = 2_000;
/** A status older than this is asked for. */
const STATUS_AGE_MS = 2_500;
/** More than arrive while a curve is being fetched. */
const KEPT_ROWS = 4_000;

export class RunFeed {
  run = $state('');
  status = $state.raw<RunStatus | null>(null);
  latest = $state.raw<StepRow | null>(null);
  /** The newest evaluation: undefined when there was none, null when it was not finite. */
  valLoss = $state.raw<number | null | undefined>(undefined);
  remainingAtLoadMs = $state.raw<number | null>(null);
  events = $state.raw<readonly RunEvent[]>([]);
  checkpoints = $state.raw<readonly Checkpoint[]>([]);
  /** null while the line works. */
  lostSinceMs = $state<number | null>(null);
  problem = $state<string | null>(null);
  nowMs = $state(nowMs());
  /** Raised when the curves have to be fetched again. */
  generation = $state(0);
  /** The newest rows, for the pace and for curves that arrive late; not reactive. */
  readonly rows: StepRow[] = [];
  #onRow: (row: StepRow) => void = () => undefined;
  #stream: string | null = null;
  #statusAtMs = 0;
  #cancelRetry: () => void = () => undefined;

  /** Follows a run, the first there is when the name is empty. */
  async follow(name: string, onRow: (row: StepRow) => void): Promise<void> {
    this.#onRow = onRow;
    every(1_000, () => this.#tick());
    await this.#connect(name);
  }

  /** The step that is next, from whatever is newer. */
  get step(): number {
    return Math.max(this.status?.step ?? 0, (this.latest?.step ?? -1) + 1);
  }

  async #connect(name: string): Promise<void> {
    try {
      this.run = name !== '' ? name : ((await listRuns())[0]?.run ?? '');
      const connection = new LiveConnection(this.run, {
        onHello: (hello) => this.#hello(hello),
        onStep: (row) => this.#step(row),
        onEvent: (event) => this.#event(event),
        onStatus: (status) => this.#setStatus(status),
        onLine: (lostSinceMs) => {
          this.lostSinceMs = lostSinceMs;
          // Without a stream there is still something to show.
          if (lostSinceMs !== null && this.status === null) void this.#reload();
        },
      });
      connection.open();
    } catch (error) {
      this.#fail(error);
      after(RETRY_MS, () => void this.#connect(name));
    }
  }

  /** Reading starts when the stream does: whatever is committed from then on arrives, so nothing falls between. */
  #hello({ stream, resumed }: Hello): void {
    const goesOn = stream === this.#stream && resumed;
    this.#stream = stream;
    if (!goesOn) void this.#reload();
  }

  async #reload(): Promise<void> {
    this.rows.length = 0;
    try {
      const [summary, events, checkpoints] = await Promise.all([
        fetchSummary(this.run),
        fetchEvents(this.run),
        fetchCheckpoints(this.run),
      ]);
      this.#setStatus(summary);
      this.remainingAtLoadMs = summary.remainingMs;
      this.latest = this.rows.at(-1) ?? summary.latest;
      this.valLoss = summary.valLoss ?? undefined;
      this.events = mergeEvents(events, this.events);
      this.checkpoints = checkpoints;
      this.generation++;
    } catch (error) {
      this.#fail(error);
      this.#cancelRetry();
      this.#cancelRetry = after(RETRY_MS, () => void this.#reload());
    }
  }

  #step(row: StepRow): void {
    const before = this.latest;
    if (before !== null && row.segment === before.segment && row.step <= before.step) return;
    this.latest = row;
    if (row.valLoss !== undefined) this.valLoss = row.valLoss;
    this.rows.push(row);
    if (this.rows.length > KEPT_ROWS) this.rows.splice(0, KEPT_ROWS / 2);
    if (before !== null && row.segment !== before.segment) {
      this.rows.splice(0, this.rows.length - 1);
      this.generation++;
    }
    this.#onRow(row);
  }

  #event(event: RunEvent): void {
    this.events = mergeEvents(this.events, [event]);
    if (event.kind !== 'checkpoint-written') return;
    fetchCheckpoints(this.run)
      .then((checkpoints) => (this.checkpoints = checkpoints))
      .catch((error: unknown) => this.#fail(error));
  }

  #setStatus(status: RunStatus): void {
    this.status = status;
    this.problem = null;
    this.#statusAtMs = nowMs();
  }

  #tick(): void {
    this.nowMs = nowMs();
    const stale = this.status !== null && this.nowMs - this.#statusAtMs > STATUS_AGE_MS;
    if (!stale || this.lostSinceMs !== null || document.hidden) return;
    this.#statusAtMs = this.nowMs;
    fetchSummary(this.run)
      .then((summary) => this.#setStatus(summary))
      .catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error);
  }
}

/** In order of seq, each once; the later list wins. */
export function mergeEvents(a: readonly RunEvent[], b: readonly RunEvent[]): readonly RunEvent[] {
  const bySeq = new Map([...a, ...b].map((event) => [event.seq, event]));
  return [...bySeq.values()].sort((x, y) => x.seq - y.seq);
}
