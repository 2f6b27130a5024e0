// Follows a run over HTTP and hands what it hears to the view. Coordinators come and go, and only the one that leads knows
// the workers: so every connection looks for it anew, and a lost one is taken up where it broke off.
import { CriaError, sleep, type Clock } from '@cria/runtime';
import { knowsWorkers, liveRuns } from '../run/run-client.js';
import type { Frame } from './event-source.js';
import type { Settings, WatchInput } from './model.js';
import { RunApi } from './run-api.js';
import { readAlert, readEvent, readRun, readStep, type RunData } from './run-data.js';

const FIRST_RETRY_MS = 300;
const MAX_RETRY_MS = 3_000;
/** A comment comes every 15 s at least. */
const SILENT_STREAM_MS = 25_000;
/** The curve moves within a second of a commit, and is not asked for more often. */
const CURVES_MS = 700;
/** Statuses without workers before another coordinator is looked for. */
const MAX_BLIND_STATUSES = 3;

export interface RunFeedOptions {
  /** Base addresses, asked for anew at every connection. */
  readonly bases: () => readonly string[];
  readonly clock: Clock;
  readonly settings: () => Settings;
  /** How many points the chart is wide. */
  readonly points: () => number;
  readonly onInput: (input: WatchInput) => void;
}

export class RunFeed {
  readonly #options: RunFeedOptions;
  #api: RunApi | null = null;
  #lastId: string | null = null;
  #run: RunData | null = null;
  #blind = 0;
  /** Statuses taken: a read that began before one of them is older. */
  #statuses = 0;
  #curvesDue = false;
  #fetching: Promise<void> | null = null;

  constructor(options: RunFeedOptions) {
    this.#options = options;
  }

  /** Until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { clock, onInput } = this.#options;
    let retryMs = FIRST_RETRY_MS;
    while (!signal.aborted) {
      try {
        this.#api = await this.#connect();
        retryMs = FIRST_RETRY_MS;
        await this.#listen(this.#api, signal);
        onInput({ kind: 'trouble', reason: 'the stream has ended' });
      } catch (error) {
        if (!signal.aborted) onInput({ kind: 'trouble', reason: reasonOf(error) });
      }
      await sleep(clock, retryMs, signal).catch(() => undefined);
      retryMs = Math.min(MAX_RETRY_MS, retryMs * 2);
    }
  }

  /** Asks for the curves now, and again when they were asked for in the meantime. */
  fetchCurves(): void {
    this.#curvesDue = true;
    this.#fetching ??= this.#fetch().finally(() => (this.#fetching = null));
  }

  /** The coordinator that leads; where none does yet, the first that answers. */
  async #connect(): Promise<RunApi> {
    const answers = await liveRuns(this.#options.bases());
    const chosen = answers.find(({ status }) => knowsWorkers(status)) ?? answers[0];
    if (chosen === undefined) throw new CriaError('RUN_NOT_FOUND', 'it serves no run');
    const run = readRun(chosen.status);
    if (this.#run !== null && this.#run.id !== run.id) this.#lastId = null;
    const api = new RunApi(chosen.base, run.id);
    const { onInput } = this.#options;
    this.#take(run);
    const [events, alerts] = await Promise.all([api.events(), api.alerts()]);
    onInput({ kind: 'events', events });
    onInput({ kind: 'alerts', alerts });
    return api;
  }

  async #listen(api: RunApi, signal: AbortSignal): Promise<void> {
    const { clock, onInput } = this.#options;
    const silent = new AbortController();
    this.#blind = 0;
    this.fetchCurves();
    let timer = clock.timer(SILENT_STREAM_MS, () => silent.abort());
    try {
      for await (const frame of api.stream(this.#lastId, AbortSignal.any([signal, silent.signal]))) {
        timer.cancel();
        timer = clock.timer(SILENT_STREAM_MS, () => silent.abort());
        onInput({ kind: 'heard' });
        if (frame !== null) this.#takeFrame(frame);
      }
    } finally {
      timer.cancel();
    }
  }

  #takeFrame({ id, event, data }: Frame): void {
    const { onInput } = this.#options;
    if (id !== null) this.#lastId = id;
    if (event === 'status') this.#takeStatus(data);
    if (event === 'event') onInput({ kind: 'events', events: [readEvent(data)] });
    if (event === 'alert') onInput({ kind: 'alerts', alerts: [readAlert(data)] });
    const step = event === 'step' ? readStep(data) : null;
    if (step === null) return;
    onInput({ kind: 'step', step });
    this.fetchCurves();
  }

  /** A coordinator that has lost the lead knows no workers any more. */
  #takeStatus(data: unknown): void {
    const run = readRun(data, this.#run);
    this.#statuses++;
    if (knowsWorkers(run)) this.#blind = 0;
    else if (++this.#blind >= MAX_BLIND_STATUSES && this.#options.bases().length > 1) {
      throw new CriaError('PEER_UNREACHABLE', 'another coordinator leads');
    }
    this.#take(run);
  }

  /** While nobody leads, what the last leader said is still the best that is known. */
  #take(run: RunData): void {
    const before = this.#run?.id === run.id ? this.#run : null;
    const isBlind = !knowsWorkers(run) && before !== null;
    const taken = isBlind ? { ...before, phase: run.phase, reason: run.reason } : run;
    this.#run = taken;
    this.#options.onInput({ kind: 'run', run: taken });
  }

  async #fetch(): Promise<void> {
    const { clock, onInput, settings, points } = this.#options;
    while (this.#curvesDue && this.#api !== null) {
      this.#curvesDue = false;
      const api = this.#api;
      const statuses = this.#statuses;
      try {
        const [curves, run] = await Promise.all([api.curves(settings(), points()), api.run()]);
        onInput({ kind: 'curves', curves });
        if (knowsWorkers(run) && statuses === this.#statuses) this.#take(run);
      } catch {
        // The stream says what is wrong with the connection; the next step asks again.
      }
      await sleep(clock, CURVES_MS);
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'AbortError') return 'nothing was heard';
  // fetch hides the socket's own words in the cause.
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
