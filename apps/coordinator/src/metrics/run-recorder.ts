// What happened, for people: metrics.jsonl, events.jsonl and the live stream. Never part of a decision.
import type { LedgerEntry } from '@cria/ledger';
import {
  EVENTS_FILE,
  METRICS_FILE,
  MetricIndex,
  openEventsFile,
  openMetricsFile,
  readEventsFile,
  TensorBoardFile,
  type Alert,
  type EventsFile,
  type MetricHistory,
  type MetricsFile,
  type RunEvent,
  type RunEventKind,
  type StepMetrics,
} from '@cria/metrics';
import type { Clock, Log } from '@cria/runtime';
import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LiveHub, parseCursor } from '../http/live-hub.js';
import { missedMessages } from '../http/missed-messages.js';
import type { RunStatus } from '../http/run-view.js';

export interface RunRecorderOptions {
  readonly outDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Parameters of the model, for bits per parameter. */
  readonly parameters: number;
  /** Floating-point operations of a token, forward and backward, and of one worker at its peak per second, for MFU. */
  readonly flopsPerToken: number;
  readonly peakFlops: number | null;
  /** Told of every step that this process commits. */
  readonly onStep?: (row: StepMetrics) => void;
}

/** A committed step with what it took. */
export interface RecordedStep {
  readonly entry: LedgerEntry;
  readonly stepMs: number;
  readonly attempts: number;
  readonly lostMs: number;
  readonly members: number;
  readonly computeMs: number;
  readonly dataMs: number;
  readonly exchangeMs: number;
  readonly commitMs: number;
  readonly waitMs: number;
  readonly wireBytes: number;
  readonly reports: number;
}

/** Events kept in memory for pages; the file has all of them. */
const EVENTS_KEPT = 50_000;
/** The index is written so often; a coordinator that dies in between reads so much of metrics.jsonl again. */
const KEEP_INDEX_MS = 60_000;

export class RunRecorder {
  readonly live = new LiveHub();
  readonly events: RunEvent[] = [];
  readonly #options: RunRecorderOptions;
  #index!: MetricIndex;
  #keptIndexMs = 0;
  #eventsRead = '';
  #metricsFile: MetricsFile | null = null;
  #eventsFile: EventsFile | null = null;
  #tensorBoard: TensorBoardFile | null = null;
  #seq = 0;
  #segment = 0;
  #activeMs = 0;
  /** Between the last step of another leader and this one's beginning; part of its first step. */
  #leaderlessMs = 0;
  #valLoss: { step: number; loss: number | null } | null = null;
  #lastValLoss: number | null = null;

  constructor(options: RunRecorderOptions) {
    this.#options = options;
  }

  get history(): MetricHistory {
    return this.#index.history;
  }

  /** Reads what earlier lives of the run wrote, then appends to it. */
  async open(): Promise<void> {
    const { outDir, log, clock } = this.#options;
    const onIndexTrouble = (error: Error): void =>
      log.warn({ error: error.message }, 'the index of the metrics is in memory only');
    this.#index = await MetricIndex.open({ directory: outDir, schema: 'cria', onTrouble: onIndexTrouble });
    this.#keptIndexMs = clock.monotonicMs();
    if (this.#index.badLines > 0) {
      log.warn(
        { lines: this.#index.badLines },
        `${METRICS_FILE} has lines that cannot be read; they are left out`,
      );
    }
    await this.#readEvents();
    this.live.begin(this.history.last(), this.#seq);
    const onTrouble = (error: Error | null): void => {
      if (error === null) log.info({}, 'the disk takes metrics again');
      else log.error({ error: error.message }, 'metrics cannot be written');
    };
    const onRepair = (bytes: number): void => {
      const text = `the last line of ${METRICS_FILE} was cut off; its ${bytes} bytes are cut away`;
      log.warn({ bytes }, text);
      this.event('damage-found', this.history.endStep, text);
    };
    this.#metricsFile = await openMetricsFile(join(outDir, METRICS_FILE), { onTrouble, onRepair });
    this.#eventsFile = await openEventsFile(join(outDir, EVENTS_FILE), { onTrouble });
  }

  /** While another coordinator leads: tells of what it has written. */
  async follow(): Promise<void> {
    await this.#index.catchUp({ keepLater: true });
    await this.#readEvents();
    const since = parseCursor(this.live.cursor());
    const missed = since === null ? null : missedMessages(since, this.history, this.events);
    if (missed === null) this.live.begin(this.history.last(), this.#seq);
    for (const message of missed ?? []) {
      if (message.type === 'step') this.live.step(message.data);
      if (message.type === 'event') this.live.event(message.data);
    }
  }

  /** Now and then: writes the index, so that a long run is opened quickly. */
  async keepIndex({ now = false }: { readonly now?: boolean } = {}): Promise<void> {
    const { clock, log } = this.#options;
    if (!now && clock.monotonicMs() - this.#keptIndexMs < KEEP_INDEX_MS) return;
    this.#keptIndexMs = clock.monotonicMs();
    await this.#metricsFile?.flush();
    await this.#index
      .catchUp()
      .catch((error: unknown) =>
        log.warn({ error: String(error) }, 'the index of the metrics was not written'),
      );
  }

  /**
   * This process leads from now on: what other leaders wrote is read, and its own steps form a new segment.
   *
   * @param step the step that is committed next
   * @param goesOn another led until now: its workers went on with the step, which so began before this process led
   */
  async beginSegment(step: number, { goesOn }: { readonly goesOn: boolean }): Promise<void> {
    const { outDir, clock } = this.#options;
    await this.follow();
    const last = this.history.last();
    this.#segment = last === null ? 0 : this.history.lastSegment + 1;
    this.#activeMs = last?.activeMs ?? 0;
    this.#leaderlessMs = goesOn && last !== null ? Math.max(0, clock.wallMs() - last.wallMs) : 0;
    await this.#tensorBoard?.close();
    this.#tensorBoard = await TensorBoardFile.open({
      directory: join(outDir, 'tensorboard'),
      startedWallMs: clock.wallMs(),
      host: hostname(),
      pid: process.pid,
      fromStep: step,
    });
  }

  event(kind: RunEventKind, step: number, text: string, worker: string | null = null): void {
    const wallMs = this.#options.clock.wallMs();
    const event: RunEvent = {
      seq: this.#seq + 1,
      wallMs,
      kind,
      step,
      text,
      ...(worker === null ? {} : { worker }),
    };
    this.#keep(event);
    this.#eventsFile?.append(event);
    this.live.event(event);
  }

  step(recorded: RecordedStep): void {
    const metrics = this.#metricsOf(recorded);
    this.#valLoss = null;
    if (!this.#append(metrics)) return;
    this.#tensorBoard?.append(metrics);
    this.live.step(metrics);
    this.#options.onStep?.(metrics);
    if (metrics.verdict === 'skip')
      this.event('step-skipped', metrics.step, `step ${metrics.step} was skipped`);
  }

  /** A disk that fails below the index costs the pages, never the run. */
  #append(metrics: StepMetrics): boolean {
    try {
      if (!this.history.append(metrics)) return false;
    } catch (error) {
      this.#options.log.error({ step: metrics.step, error: String(error) }, 'a step is missing in the index');
    }
    this.#metricsFile?.append(metrics);
    return true;
  }

  /** Validation of state[step]; shown with the step that it led to. */
  validated(step: number, lossBits: ReadonlyArray<number | null>): void {
    const losses = lossBits.flatMap((bits) => (bits === null ? [] : [f32(bits)]));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const loss = Number.isFinite(mean) ? mean : null;
    this.#valLoss = { step, loss };
    this.#lastValLoss = loss;
    this.#options.log.info({ step, valLoss: loss, sequences: losses.length }, 'validated');
  }

  /** Newest validation loss, of this life or an earlier one. */
  get valLoss(): number | null {
    return this.#lastValLoss ?? this.history.column('valLoss').lastFinite();
  }

  /** Training time so far, pauses and the time between lives left out. */
  get activeMs(): number {
    return this.#activeMs;
  }

  /** An alert that was raised, has ended or was acknowledged: a line in the terminal and a marker on the curve, too. */
  alert(alert: Alert): void {
    this.live.alert(alert);
    if (alert.acknowledgedWallMs === alert.updatedWallMs) return;
    const isOver = alert.state === 'resolved';
    const text = isOver ? `over: ${alert.text}` : alert.text;
    this.event(isOver ? 'alert-over' : 'alert', alert.step, text, alert.worker);
  }

  status(status: RunStatus): void {
    this.live.status(status);
  }

  async close(): Promise<void> {
    await this.#tensorBoard?.close();
    await this.#metricsFile?.close();
    this.#metricsFile = null;
    await this.#eventsFile?.close();
    await this.keepIndex({ now: true });
    await this.#index.close();
  }

  /** Those that are known already are passed over. */
  async #readEvents(): Promise<void> {
    const path = join(this.#options.outDir, EVENTS_FILE);
    const facts = statSync(path, { throwIfNoEntry: false });
    const seen = facts === undefined ? '' : `${facts.size}`;
    if (seen === this.#eventsRead) return;
    await readEventsFile(path, (event) => {
      if (event.seq > this.#seq) this.#keep(event);
    });
    this.#eventsRead = seen;
  }

  #keep(event: RunEvent): void {
    this.#seq = Math.max(this.#seq, event.seq);
    this.events.push(event);
    if (this.events.length > EVENTS_KEPT) this.events.shift();
  }

  /** Operations that were needed against those that the workers could have made; null where nobody said what they can. */
  #mfu(tokensPerSecond: number, workers: number): number | null {
    const { flopsPerToken, peakFlops } = this.#options;
    if (peakFlops === null || workers === 0 || !Number.isFinite(tokensPerSecond)) return null;
    return (tokensPerSecond * flopsPerToken) / (workers * peakFlops);
  }

  #metricsOf(recorded: RecordedStep): StepMetrics {
    const { entry, computeMs, dataMs, exchangeMs, commitMs, waitMs, wireBytes, reports } = recorded;
    const stepMs = recorded.stepMs + this.#leaderlessMs;
    this.#leaderlessMs = 0;
    const { math, ops } = entry;
    this.#activeMs += stepMs;
    const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
    // Each of n members receives (n-1)/n of the packed sums twice: once to add, once as the sum.
    const perMember = reports > 1 ? (8 * wireBytes) / reports / (2 * (1 - 1 / reports)) : 0;
    return {
      step: math.step,
      tokens: (math.step + 1) * math.tokens,
      loss: finite(math.loss),
      ...(this.#valLoss === null ? {} : { valLoss: this.#valLoss.loss }),
      gradNorm: finite(math.gradNorm),
      lr: math.lr,
      tokensPerSecond: stepMs > 0 ? (1000 * math.tokens) / stepMs : 0,
      stepMs,
      computeMs,
      dataMs,
      exchangeMs,
      waitMs,
      commitMs,
      lostMs: recorded.lostMs,
      attempts: recorded.attempts,
      workers: recorded.members,
      bitsPerParameter: perMember / this.#options.parameters,
      mfu: this.#mfu((1000 * math.tokens) / stepMs, recorded.members),
      verdict: math.verdict,
      wallMs: ops.wallMs,
      activeMs: this.#activeMs,
      segment: this.#segment,
    };
  }
}

const WORD = new Uint32Array(1);
const VALUE = new Float32Array(WORD.buffer);

function f32(bits: number): number {
  WORD[0] = bits;
  return VALUE[0] ?? Number.NaN;
}
