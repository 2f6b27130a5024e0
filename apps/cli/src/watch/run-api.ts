// The reads of docs/http-api.md that the view makes, at one coordinator.
import { CriaError } from '@cria/runtime';
import { getJson } from '../run/run-client.js';
import { frames, type Frame } from './event-source.js';
import type { Curves, Settings } from './model.js';
import { shownPart } from './model.js';
import {
  fieldsOf,
  readAlert,
  readEvent,
  readRun,
  readSeries,
  type AlertData,
  type EventData,
  type RunData,
  type SeriesData,
} from './run-data.js';

const MAX_EVENT_PAGES = 50;

export class RunApi {
  readonly base: string;
  readonly id: string;

  constructor(base: string, id: string) {
    this.base = base;
    this.id = id;
  }

  async run(): Promise<RunData> {
    return readRun(await this.#get(''));
  }

  /** All of them, oldest first. */
  async events(): Promise<EventData[]> {
    const events: EventData[] = [];
    let after: unknown = 0;
    for (let page = 0; page < MAX_EVENT_PAGES && after !== null && after !== undefined; page++) {
      const answer = fieldsOf(await this.#get(`/events?limit=1000&after=${String(after)}`));
      events.push(...((answer['events'] as unknown[] | undefined) ?? []).map(readEvent));
      after = answer['next'];
    }
    return events;
  }

  /** None where the coordinator knows no alerts. */
  async alerts(): Promise<AlertData[]> {
    const answer = await this.#get('/alerts').catch(() => ({}));
    return ((fieldsOf(answer)['alerts'] as unknown[] | undefined) ?? []).map(readAlert);
  }

  /** What the chart shows, `points` wide. */
  async curves(settings: Settings, points: number): Promise<Curves> {
    const window = settings.zoom === 0 ? null : await this.#window(settings);
    const of = (metric: string, smooth: number): Promise<SeriesData> =>
      this.#series({ metric, axis: settings.axis, points, window, smooth });
    const [loss, valLoss, tokensPerSecond] = await Promise.all([
      of('loss', settings.smoothSteps),
      of('valLoss', 1),
      of('tokensPerSecond', 1),
    ]);
    return { loss, valLoss, tokensPerSecond, window };
  }

  /** The stream; `after` is the id of the last frame that was seen. */
  async *stream(after: string | null, signal: AbortSignal): AsyncGenerator<Frame | null, void, void> {
    const resume = after === null ? {} : { 'last-event-id': after };
    const response = await fetch(`${this.#url}/events`, {
      headers: { accept: 'text/event-stream', ...resume },
      signal,
    });
    if (!response.ok || response.body === null) {
      throw new CriaError('PEER_UNREACHABLE', `it answers ${response.status} to who wants the stream`);
    }
    yield* frames(response.body as AsyncIterable<Uint8Array>);
  }

  async #window(settings: Settings): Promise<{ from: number; to: number }> {
    const ends = await this.#series({
      metric: 'loss',
      axis: settings.axis,
      points: 2,
      window: null,
      smooth: 1,
    });
    const first = ends.firstX ?? (settings.axis === 'time' ? (ends.buckets[0]?.x ?? 0) : 0);
    return shownPart(settings, first, ends.lastX ?? ends.buckets.at(-1)?.x ?? 1);
  }

  /** A metric that a logged run does not have is an empty series. */
  async #series(query: {
    metric: string;
    axis: string;
    points: number;
    window: { from: number; to: number } | null;
    smooth: number;
  }): Promise<SeriesData> {
    const { metric, axis, points, window, smooth } = query;
    const parameters = new URLSearchParams({ metric, x: axis, points: String(points) });
    if (window !== null) parameters.set('from', String(window.from));
    if (window !== null) parameters.set('to', String(window.to));
    if (smooth > 1) parameters.set('smooth', String(smooth));
    return readSeries(await this.#get(`/series?${parameters.toString()}`).catch(emptyWhereUnknown));
  }

  get #url(): string {
    return `${this.base}/api/runs/${encodeURIComponent(this.id)}`;
  }

  #get(path: string): Promise<unknown> {
    return getJson(`${this.#url}${path}`);
  }
}

function emptyWhereUnknown(error: unknown): object {
  if (CriaError.is(error) && error.context['status'] === 404) return {};
  throw error;
}
