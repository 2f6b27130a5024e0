// Everything the page knows about its run except the curves: read once, then kept by the live stream; read again when
// the stream says that something was missed, or that another coordinator speaks now.
import { every, nowMs, after } from '../browser-clock';
import { fetchAlerts, fetchCheckpoints, fetchEvents, fetchSummary, listRuns } from '../api/client';
import { LiveConnection } from '../api/live-connection';
import type {
  Alert,
  AlertRule,
  CheckpointPage,
  Hello,
  RunBrief,
  RunEvent,
  RunStatus,
  RunSummary,
  Sample,
  StepRow,
} from '../api/types';
import { numberIn } from '../series/live-series';
import { mergeEvents } from './merge-events';

const RETRY_MS = 2_000;
/** A status older than this is asked for. */
const STATUS_AGE_MS = 2_500;
/** Cost and alert counts are in the summary only. */
const SUMMARY_AGE_MS = 15_000;
/** More than arrive while a curve is being fetched. */
const KEPT_ROWS = 4_000;

export interface BestLoss {
  readonly loss: number;
  readonly step: number;
}

export interface RowListener {
  (row: StepRow): void;
}

export class RunFeed {
  /** For addresses; the name for people is in the summary. */
  id = $state('');
  summary = $state.raw<RunSummary | null>(null);
  status = $state.raw<RunStatus | null>(null);
  latest = $state.raw<StepRow | null>(null);
  /** The newest evaluation: undefined when there was none, null when it was not finite. */
  valLoss = $state.raw<number | null | undefined>(undefined);
  /** The best evaluation of the run so far. */
  bestValLoss = $state.raw<BestLoss | null>(null);
  events = $state.raw<readonly RunEvent[]>([]);
  alerts = $state.raw<readonly Alert[]>([]);
  rules = $state.raw<readonly AlertRule[]>([]);
  checkpoints = $state.raw<CheckpointPage>({ checkpoints: [] });
  /** Samples that came while the page is open. */
  samples = $state.raw<readonly Sample[]>([]);
  /** null while the line works. */
  lostSinceMs = $state<number | null>(null);
  problem = $state<string | null>(null);
  nowMs = $state(nowMs());
  /** Raised when the curves have to be fetched again. */
  generation = $state(0);
  /** The newest rows, for the pace and for curves that arrive late; not reactive. */
  readonly rows: StepRow[] = [];
  readonly #onRow: RowListener;
  readonly #wanted: string;
  /** Known before the summary where the list of runs was asked. */
  #source: RunBrief['source'] | null = null;
  #stream: string | null = null;
  #statusAtMs = 0;
  #summaryAtMs = 0;
  #connection: LiveConnection | null = null;
  #cancelRetry: () => void = () => undefined;
  #cancelTick: () => void = () => undefined;
  #stopped = false;

  /** @param wanted a run's id or name; empty = the first run there is */
  constructor(wanted: string, onRow: RowListener) {
    this.#wanted = wanted;
    this.#onRow = onRow;
  }

  start(): void {
    this.#cancelTick = every(1_000, () => this.#tick());
    void this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTick();
    this.#cancelRetry();
    this.#connection?.close();
  }

  /** null: not known yet. */
  get source(): RunBrief['source'] | null {
    return this.summary?.source ?? this.#source;
  }

  get name(): string {
    return this.summary?.run ?? this.status?.run ?? '';
  }

  /** The step that is next, from whatever is newer. */
  get step(): number {
    return Math.max(this.status?.step ?? 0, (this.latest?.step ?? -1) + 1);
  }

  get tokens(): number {
    return numberIn(this.latest, 'tokens') ?? this.summary?.tokens ?? 0;
  }

  takeAlert(alert: Alert): void {
    const others = this.alerts.filter(({ id }) => id !== alert.id);
    this.alerts = [alert, ...others].sort((a, b) => b.startedWallMs - a.startedWallMs);
  }

  takeSummary(summary: RunSummary): void {
    this.summary = summary;
    this.#summaryAtMs = nowMs();
    const { best, bestStep } = summary.metrics?.valLoss ?? {};
    this.bestValLoss = best == null || bestStep == null ? null : { loss: best, step: bestStep };
    // An evaluation may have come while the summary was under way.
    for (const row of this.rows) this.#compareBest(row);
    this.#setStatus(summary);
  }

  async #connect(): Promise<void> {
    try {
      const first = this.#wanted === '' ? (await listRuns())[0] : undefined;
      this.id = first?.id ?? this.#wanted;
      this.#source = first?.source ?? null;
      if (this.#stopped) return;
      if (this.id === '') throw new Error('There is no run here yet.');
      this.#connection = new LiveConnection(this.id, {
        onHello: (hello) => this.#hello(hello),
        onStep: (row) => this.#step(row),
        onEvent: (event) => this.#event(event),
        onStatus: (status) => this.#setStatus(status),
        onAlert: (alert) => this.takeAlert(alert),
        onSample: (sample) => (this.samples = [...this.samples.slice(-200), sample]),
        onLine: (lostSinceMs) => this.#setLine(lostSinceMs),
      });
      this.#connection.open();
    } catch (error) {
      this.#fail(error);
      this.#retry(() => void this.#connect());
    }
  }

  #setLine(lostSinceMs: number | null): void {
    this.lostSinceMs = lostSinceMs;
    // Without a stream there is still something to show.
    if (lostSinceMs !== null && this.status === null) void this.#reload();
  }

  /** Reading starts when the stream does: whatever is committed from then on arrives, so nothing falls between. */
  #hello({ stream, resumed }: Hello): void {
    const goesOn = stream === this.#stream && resumed;
    this.#stream = stream;
    if (goesOn) return;
    this.rows.length = 0;
    // The curves need not wait for the summary, but a logged run's have to wait for their names.
    this.generation++;
    void this.#reload();
  }

  async #reload(): Promise<void> {
    try {
      const [summary, events] = await Promise.all([fetchSummary(this.id), fetchEvents(this.id)]);
      if (this.#stopped) return;
      this.takeSummary(summary);
      this.latest = this.rows.at(-1) ?? summary.latest;
      this.valLoss = summary.valLoss ?? undefined;
      this.events = mergeEvents(events, this.events);
      await this.#reloadRest(summary.alerts !== undefined);
    } catch (error) {
      this.#fail(error);
      this.#retry(() => void this.#reload());
    }
  }

  /** What no curve waits for. */
  async #reloadRest(hasAlerts: boolean): Promise<void> {
    const [checkpoints, alerts] = await Promise.all([
      fetchCheckpoints(this.id),
      hasAlerts ? fetchAlerts(this.id) : { alerts: [], rules: [] },
    ]);
    this.checkpoints = checkpoints;
    this.alerts = alerts.alerts;
    this.rules = alerts.rules;
  }

  #step(row: StepRow): void {
    const before = this.latest;
    if (before !== null && row.segment === before.segment && row.step <= before.step) return;
    this.latest = row;
    if (row.valLoss === null || typeof row.valLoss === 'number') this.valLoss = row.valLoss;
    this.#compareBest(row);
    this.rows.push(row);
    if (this.rows.length > KEPT_ROWS) this.rows.splice(0, KEPT_ROWS / 2);
    if (before !== null && row.segment !== before.segment) {
      this.rows.splice(0, this.rows.length - 1);
      this.generation++;
    }
    this.#onRow(row);
  }

  /** The summary has it, but only every so often; what is told beside the newest evaluation must not be older. */
  #compareBest({ step, valLoss }: StepRow): void {
    if (typeof valLoss !== 'number' || valLoss >= (this.bestValLoss?.loss ?? Infinity)) return;
    this.bestValLoss = { loss: valLoss, step };
  }

  #event(event: RunEvent): void {
    this.events = mergeEvents(this.events, [event]);
    if (event.kind !== 'checkpoint-written') return;
    fetchCheckpoints(this.id)
      .then((checkpoints) => (this.checkpoints = checkpoints))
      .catch((error: unknown) => this.#fail(error));
  }

  #setStatus(status: RunStatus): void {
    if (this.#stopped) return;
    this.status = status;
    this.problem = null;
    this.#statusAtMs = nowMs();
  }

  #tick(): void {
    this.nowMs = nowMs();
    if (this.status === null || this.lostSinceMs !== null || document.hidden) return;
    const isStale = this.nowMs - this.#statusAtMs > STATUS_AGE_MS && this.summary?.live !== false;
    if (!isStale && this.nowMs - this.#summaryAtMs < SUMMARY_AGE_MS) return;
    this.#statusAtMs = this.nowMs;
    this.#summaryAtMs = this.nowMs;
    fetchSummary(this.id)
      .then((summary) => this.takeSummary(summary))
      .catch((error: unknown) => this.#fail(error));
  }

  #retry(again: () => void): void {
    this.#cancelRetry();
    if (!this.#stopped) this.#cancelRetry = after(RETRY_MS, again);
  }

  #fail(error: unknown): void {
    if (!this.#stopped) this.problem = error instanceof Error ? error.message : String(error);
  }
}
