// Watches the run for the rules of libs/metrics, remembers alerts, and tells of them: in alerts.jsonl, in the events (and so in the
// terminal and on the curve), on the live stream, by webhook. Nothing here can hold up or fail the run.
import {
  NO_ALERTS,
  JsonLinesFile,
  alertsAfterLook,
  alertsAfterStep,
  webhookBody,
  webhookFormat,
  type Alert,
  type AlertTurn,
  type Look,
  type StepMetrics,
  type Thresholds,
  type WebhookFormat,
} from '@cria/metrics';
import { CriaError, type Clock, type Log } from '@cria/runtime';
import { join } from 'node:path';
import { JsonlRecords } from '../runs/jsonl-records.js';
import { ALERTS_FILE, isAlert, latestAlerts } from '../runs/records.js';

export interface AlertWatchOptions {
  readonly outDir: string;
  readonly run: { readonly run: string; readonly runId: string };
  readonly thresholds: Thresholds;
  readonly webhook: { readonly url: string; readonly format: WebhookFormat | 'auto' } | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of every change. */
  readonly onChange: (alert: Alert) => void;
}

/** The newest are kept. */
const MAX_ALERTS = 1000;
const WEBHOOK_TIMEOUT_MS = 5000;
const MAX_WEBHOOKS_WAITING = 50;

export class AlertWatch {
  readonly #options: AlertWatchOptions;
  #state = NO_ALERTS;
  /** Newest first. */
  #alerts: Alert[] = [];
  #file: JsonLinesFile<Alert> | null = null;
  #webhooks: Promise<void> = Promise.resolve();
  #webhooksWaiting = 0;

  constructor(options: AlertWatchOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const path = join(this.#options.outDir, ALERTS_FILE);
    this.#alerts = latestAlerts(await new JsonlRecords(path, isAlert).refresh()).slice(0, MAX_ALERTS);
    this.#file = await JsonLinesFile.open<Alert>(path);
  }

  /** Newest first. */
  get alerts(): readonly Alert[] {
    return this.#alerts;
  }

  /** This process leads from now on: what another left firing is over as far as anybody knows. */
  begin(wallMs: number): void {
    this.#state = NO_ALERTS;
    for (const alert of this.#alerts.filter(({ state }) => state === 'firing')) {
      this.#change({ ...alert, state: 'resolved', updatedWallMs: wallMs, endedWallMs: wallMs });
    }
  }

  step(row: StepMetrics): void {
    this.#take(alertsAfterStep(this.#state, row, this.#options.thresholds));
  }

  look(look: Look): void {
    this.#take(alertsAfterLook(this.#state, look, this.#options.thresholds));
  }

  /** @throws USAGE when there is none of that id */
  acknowledge(id: string): Alert {
    const alert = this.#alerts.find((one) => one.id === id);
    if (alert === undefined) throw new CriaError('USAGE', `there is no alert ${id}`);
    if (alert.acknowledgedWallMs !== null) return alert;
    const wallMs = this.#options.clock.wallMs();
    const acknowledged = { ...alert, acknowledgedWallMs: wallMs, updatedWallMs: wallMs };
    this.#keep(acknowledged);
    return acknowledged;
  }

  async close(): Promise<void> {
    await this.#webhooks;
    await this.#file?.close();
  }

  #take({ state, changed }: AlertTurn): void {
    this.#state = state;
    changed.forEach((alert) => this.#change(alert));
  }

  #change(alert: Alert): void {
    const known = this.#alerts.find(({ id }) => id === alert.id);
    const told = { ...alert, acknowledgedWallMs: known?.acknowledgedWallMs ?? null };
    this.#keep(told);
    this.#send(told);
  }

  #keep(alert: Alert): void {
    const others = this.#alerts.filter(({ id }) => id !== alert.id);
    this.#alerts = [alert, ...others].sort((a, b) => b.startedWallMs - a.startedWallMs).slice(0, MAX_ALERTS);
    this.#file?.append(alert);
    this.#options.onChange(alert);
  }

  /** One after the other; when the other side does not answer, later ones are left out. */
  #send(alert: Alert): void {
    const { webhook, log } = this.#options;
    if (webhook === null) return;
    if (this.#webhooksWaiting >= MAX_WEBHOOKS_WAITING) {
      log.warn({ alert: alert.id }, 'the webhook does not keep up: an alert is left out');
      return;
    }
    this.#webhooksWaiting++;
    this.#webhooks = this.#webhooks
      .then(() => this.#post(webhook, alert))
      .catch((error: unknown) => log.warn({ alert: alert.id, error: String(error) }, 'the webhook failed'))
      .finally(() => this.#webhooksWaiting--);
  }

  async #post({ url, format }: NonNullable<AlertWatchOptions['webhook']>, alert: Alert): Promise<void> {
    const shape = format === 'auto' ? webhookFormat(url) : format;
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(webhookBody(shape, this.#options.run, alert)),
      signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
      redirect: 'error',
    });
    await response.arrayBuffer();
    if (!response.ok) throw new CriaError('PEER_UNREACHABLE', `the webhook answered ${response.status}`);
  }
}
