// What happened, for people: metrics.jsonl, events.jsonl and the live stream. Never part of a decision.
import type { LedgerEntry } from '@cria/ledger';
import {
  EVENTS_FILE,
  METRICS_FILE,
  MetricHistory,
  openEventsFile,
  openMetricsFile,
  readEventsFile,
  readMetricsFile,
  TensorBoardFile,
  type EventsFile,
  type MetricsFile,
  type RunEvent,
  type RunEventKind,
  type StepMetrics,
} from '@cria/metrics';
import type { Clock, Log } from '@cria/runtime';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LiveBuffer } from '../http/live-buffer.js';
import type { RunStatus } from '../http/run-view.js';

export interface RunRecorderOptions {
  readonly outDir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Parameters of the model, for bits per parameter. */
  readonly parameters: number;
}

/** A committed step with what it took. */
export interface RecordedStep {
  readonly entry: LedgerEntry;
  readonly stepMs: number;
  readonly attempts: number;
  readonly lostMs: number;
  readonly members: number;
  readonly computeMs: number;
  readonly exchangeMs: number;
  readonly commitMs: number;
  readonly waitMs: number;
  readonly wireBytes: number;
  readonly reports: number;
}

/** Events kept in memory for pages; the file has all of them. */
const EVENTS_KEPT = 5000;

export class RunRecorder {
  readonly history = new MetricHistory();
  readonly live = new LiveBuffer();
  readonly events: RunEvent[] = [];
  readonly #options: RunRecorderOptions;
  #metricsFile: MetricsFile | null = null;
  #eventsFile: EventsFile | null = null;
  #tensorBoard: TensorBoardFile | null = null;
  #seq = 0;
  #segment = 0;
  #activeMs = 0;
  #valLoss: { step: number; loss: number | null } | null = null;
  #lastValLoss: number | null = null;

  constructor(options: RunRecorderOptions) {
    this.#options = options;
  }

  /** Reads what earlier lives of the run wrote, then appends to it. */
  async open(): Promise<void> {
    const { outDir, log } = this.#options;
    await this.#read();
    const onTrouble = (error: Error | null): void => {
      if (error === null) log.info({}, 'the disk takes metrics again');
      else log.error({ error: error.message }, 'metrics cannot be written');
    };
    this.#metricsFile = await openMetricsFile(join(outDir, METRICS_FILE), { onTrouble });
    this.#eventsFile = await openEventsFile(join(outDir, EVENTS_FILE), { onTrouble });
  }

  /**
   * This process leads from now on: what other leaders wrote is read, and its own steps form a new segment.
   *
   * @param step the step that is committed next
   */
  async beginSegment(step: number): Promise<void> {
    const { outDir, clock } = this.#options;
    await this.#read();
    const last = this.history.last();
    this.#segment = last === null ? 0 : this.history.lastSegment + 1;
    this.#activeMs = last?.activeMs ?? 0;
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
    if (!this.history.append(metrics)) return;
    this.#metricsFile?.append(metrics);
    this.#tensorBoard?.append(metrics);
    this.live.step(metrics);
    if (metrics.verdict === 'skip')
      this.event('step-skipped', metrics.step, `step ${metrics.step} was skipped`);
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

  status(status: RunStatus): void {
    this.live.status(status);
  }

  async close(): Promise<void> {
    await this.#tensorBoard?.close();
    await this.#metricsFile?.close();
    await this.#eventsFile?.close();
  }

  /** Rows and events that are known already are passed over. */
  async #read(): Promise<void> {
    const { outDir, log } = this.#options;
    const metricsPath = join(outDir, METRICS_FILE);
    const eventsPath = join(outDir, EVENTS_FILE);
    if (existsSync(metricsPath)) {
      const bad = await readMetricsFile(metricsPath, (row) => this.history.append(row));
      if (bad.length > 0)
        log.warn({ lines: bad.length }, `${METRICS_FILE} has lines that cannot be read; they are left out`);
    }
    if (existsSync(eventsPath)) {
      await readEventsFile(eventsPath, (event) => {
        if (event.seq > this.#seq) this.#keep(event);
      });
    }
  }

  #keep(event: RunEvent): void {
    this.#seq = Math.max(this.#seq, event.seq);
    this.events.push(event);
    if (this.events.length > EVENTS_KEPT) this.events.shift();
  }

  #metricsOf(recorded: RecordedStep): StepMetrics {
    const { entry, stepMs, computeMs, exchangeMs, commitMs, waitMs, wireBytes, reports } = recorded;
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
      exchangeMs,
      waitMs,
      commitMs,
      lostMs: recorded.lostMs,
      attempts: recorded.attempts,
      workers: recorded.members,
      bitsPerParameter: perMember / this.#options.parameters,
      mfu: null,
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
