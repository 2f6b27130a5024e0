// The curves of the page: fetched for the view that is asked for, kept up to date by live steps, drawn at most once per
// frame however fast the run is.
import { fetchSeries } from '../api/client';
import type { MetricName, StepRow } from '../api/types';
import { LiveSeries } from '../series/live-series';
import type { ViewSettings } from './view-settings';

export const CURVES = [
  'loss',
  'valLoss',
  'tokensPerSecond',
  'lr',
  'gradNorm',
] as const satisfies MetricName[];
/** Smoothing a schedule or a few scattered evaluations would only bend them. */
const SMOOTHED: readonly MetricName[] = ['loss', 'gradNorm', 'tokensPerSecond'];

export class Curves {
  /** Raised when anything has to be drawn again. */
  version = $state(0);
  loading = $state(false);
  problem = $state<string | null>(null);
  #series = $state.raw<ReadonlyMap<MetricName, LiveSeries>>(new Map());
  #request = new AbortController();
  #frame: number | null = null;

  get(metric: MetricName): LiveSeries | null {
    return this.#series.get(metric) ?? null;
  }

  /** @param recent the live rows that may have arrived while the answer was on its way */
  async load(run: string, view: ViewSettings, points: number, recent: readonly StepRow[]): Promise<void> {
    this.#request.abort();
    this.#request = new AbortController();
    const { signal } = this.#request;
    const { axis: x, window, smoothSteps } = view;
    this.loading = true;
    try {
      const answers = await Promise.all(
        CURVES.map((metric) => {
          const smooth = SMOOTHED.includes(metric) ? smoothSteps : 1;
          return fetchSeries(run, { metric, x, window, points, smoothSteps: smooth }, signal);
        }),
      );
      this.#series = new Map(
        answers.map((series) => [series.metric, new LiveSeries(series, { window, points })]),
      );
      for (const row of recent) this.#series.forEach((series) => series.append(row));
      this.problem = null;
      this.version++;
      this.loading = false;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error instanceof Error ? error.message : String(error);
      this.loading = false;
    }
  }

  append(row: StepRow): void {
    this.#series.forEach((series) => series.append(row));
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.version++;
    });
  }
}
