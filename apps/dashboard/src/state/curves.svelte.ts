// The curves of the page: fetched for the view that is asked for, kept up to date by live steps, drawn at most once per
// frame however fast the run is.
import { fetchSeries } from '../api/client';
import type { StepRow } from '../api/types';
import type { ChartSpec } from '../charts/chart-list';
import type { ChartPlan } from '../charts/chart-plan';
import { after } from '../browser-clock';
import { LiveSeries } from '../series/live-series';
import type { ViewSettings } from './view-settings';

const RETRY_MS = 2_000;

export interface CurveWish {
  readonly plan: ChartPlan;
  /** Buckets at most: of the large chart, and of the small ones below it. */
  readonly points: { readonly large: number; readonly small: number };
  /** The live rows that may have arrived while the answer was on its way. */
  readonly recent: readonly StepRow[];
}

export class Curves {
  /** Raised when anything has to be drawn again. */
  version = $state(0);
  loading = $state(false);
  problem = $state<string | null>(null);
  #series = $state.raw<ReadonlyMap<string, LiveSeries>>(new Map());
  #request = new AbortController();
  #frame: number | null = null;
  #cancelRetry: () => void = () => undefined;

  get(metric: string): LiveSeries | null {
    return this.#series.get(metric) ?? null;
  }

  /** The loss first: it is what one looks at while the others arrive. */
  async load(run: string, view: ViewSettings, wish: CurveWish): Promise<void> {
    const { plan, points, recent } = wish;
    this.stop();
    this.#request = new AbortController();
    const { signal } = this.#request;
    this.loading = true;
    try {
      const first = [
        wishOf(plan.main),
        ...(plan.validation === null ? [] : [{ metric: plan.validation, smoothed: false }]),
      ];
      const rounds = [
        { wishes: first, points: points.large },
        { wishes: plan.others.map(wishOf), points: points.small },
      ];
      for (const { wishes, points } of rounds) {
        const fetched = await fetchAll(run, wishes, { view, points, signal });
        for (const row of recent) fetched.forEach((series) => series.append(row));
        this.#series = new Map([
          ...this.#series,
          ...fetched.map((series) => [series.metric, series] as const),
        ]);
        this.version++;
      }
      this.problem = null;
      this.loading = false;
    } catch (error) {
      if (signal.aborted) return;
      this.problem = error instanceof Error ? error.message : String(error);
      this.loading = false;
      this.#cancelRetry = after(RETRY_MS, () => void this.load(run, view, wish));
    }
  }

  append(row: StepRow): void {
    this.#series.forEach((series) => series.append(row));
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      this.version++;
    });
  }

  stop(): void {
    this.#cancelRetry();
    this.#request.abort();
  }
}

interface Wish {
  readonly metric: string;
  readonly smoothed: boolean;
}

const wishOf = ({ metric, smoothed }: ChartSpec): Wish => ({ metric, smoothed });

/** Two requests: for what is smoothed, and for what is not. */
async function fetchAll(
  run: string,
  wishes: readonly Wish[],
  { view, points, signal }: { view: ViewSettings; points: number; signal: AbortSignal },
): Promise<readonly LiveSeries[]> {
  const { axis: x, window, smoothing } = view;
  const groups = [true, false].map((smoothed) => {
    const metrics = wishes.filter((wish) => wish.smoothed === smoothed).map(({ metric }) => metric);
    const smoothSteps = smoothed ? view.smoothSteps : 1;
    return fetchSeries(run, metrics, { x, window, points, smoothSteps, smoothing }, signal);
  });
  const answers = await Promise.all(groups);
  return answers.flat().map((series) => new LiveSeries(series, { window, points }));
}
