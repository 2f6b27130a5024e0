// Requests to the coordinator that served this page; to nobody else.
import type {
  Alert,
  AlertPage,
  Axis,
  CheckpointPage,
  FlatConfig,
  LedgerPage,
  LogPage,
  NamedMetric,
  RunBrief,
  RunEvent,
  RunSummary,
  SamplePage,
  Series,
} from './types';

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const EVENTS_A_PAGE = 1_000;
/** Of one request for series. */
const MOST_METRICS = 32;

export interface SeriesRequest {
  readonly x: Axis;
  readonly window: readonly [number, number] | null;
  readonly points: number;
  /** Steps the average looks back; 1 = off. */
  readonly smoothSteps: number;
  readonly smoothing: 'ema' | 'time';
}

export async function listRuns(): Promise<readonly RunBrief[]> {
  return (await read<{ runs: RunBrief[] }>('/api/runs')).runs.map(completed);
}

/** A coordinator that is older than this page says less of its run. */
function completed(brief: RunBrief): RunBrief {
  const least = {
    id: brief.run,
    project: null,
    source: 'cria' as const,
    live: true,
    tags: [],
    note: '',
    metrics: {},
    activeMs: 0,
  };
  return { ...least, ...brief };
}

export async function fetchSummary(run: string): Promise<RunSummary> {
  const summary = await read<RunSummary>(runPath(run));
  return { ...completed(summary), ...summary };
}

/** All events of the run, page by page. */
export async function fetchEvents(run: string): Promise<readonly RunEvent[]> {
  const events: RunEvent[] = [];
  let after: number | null = 0;
  while (after !== null) {
    const query = queryOf({ after, limit: EVENTS_A_PAGE });
    const page: { events: RunEvent[]; next?: number | null } = await read(`${runPath(run)}/events${query}`);
    events.push(...page.events);
    after = page.next ?? null;
  }
  return events;
}

export async function fetchConfig(run: string): Promise<FlatConfig> {
  return (await read<{ flat: FlatConfig }>(`${runPath(run)}/config`)).flat;
}

export async function fetchMetrics(run: string): Promise<readonly NamedMetric[]> {
  return (await read<{ metrics: NamedMetric[] }>(`${runPath(run)}/metrics`)).metrics;
}

export function fetchCheckpoints(run: string): Promise<CheckpointPage> {
  return read(`${runPath(run)}/checkpoints`);
}

/** @param from first step of the page; null = the newest */
export function fetchLedger(run: string, from: number | null, count: number): Promise<LedgerPage> {
  return read(`${runPath(run)}/ledger${queryOf({ from, count })}`);
}

export interface SampleRequest {
  readonly from?: number;
  readonly to?: number;
  readonly limit: number;
}

export function fetchSamples(run: string, { from, to, limit }: SampleRequest): Promise<SamplePage> {
  return read(`${runPath(run)}/samples${queryOf({ from: from ?? null, to: to ?? null, limit })}`);
}

export interface LogRequest {
  readonly worker: string | null;
  readonly level: string | null;
  readonly after: string | null;
  readonly limit: number;
}

export function fetchLogs(run: string, request: LogRequest, signal: AbortSignal): Promise<LogPage> {
  return read(`${runPath(run)}/logs${queryOf({ ...request })}`, signal);
}

export function fetchAlerts(run: string): Promise<AlertPage> {
  return read(`${runPath(run)}/alerts`);
}

/** The series of several metrics, in their order. */
export async function fetchSeries(
  run: string,
  metrics: readonly string[],
  request: SeriesRequest,
  signal: AbortSignal,
): Promise<readonly Series[]> {
  const { x, window, points, smoothSteps, smoothing } = request;
  const [from, to] = window ?? [null, null];
  const weight = 1 - 1 / smoothSteps;
  const average = smoothing === 'time' ? { smoothing: `twema:${weight}` } : { smooth: smoothSteps };
  const query = queryOf({ x, points, from, to, ...(smoothSteps > 1 ? average : {}) });
  const found: Series[] = [];
  for (let i = 0; i < metrics.length; i += MOST_METRICS) {
    const names = metrics.slice(i, i + MOST_METRICS).map((name) => `&metric=${encodeURIComponent(name)}`);
    const answer = await read<Series | { series: Series[] }>(
      `${runPath(run)}/series${query}${names.join('')}`,
      signal,
    );
    found.push(...('series' in answer ? answer.series : [answer]));
  }
  return found;
}

export type Control =
  | { readonly name: 'scale'; readonly target: number }
  | { readonly name: 'drain'; readonly worker: string }
  | { readonly name: 'pause' | 'resume' | 'stop' };

/** @throws ApiError with the coordinator's own words */
export async function sendControl(run: string, control: Control, token: string): Promise<void> {
  const { name, ...body } = control;
  await send('POST', `${runPath(run)}/${name}`, body, token);
}

export function acknowledgeAlert(run: string, alert: string, token: string): Promise<Alert> {
  return send('POST', `${runPath(run)}/alerts/${encodeURIComponent(alert)}/acknowledge`, {}, token);
}

export function describeRun(
  run: string,
  description: { readonly tags: readonly string[]; readonly note: string },
  token: string,
): Promise<RunSummary> {
  return send('PATCH', runPath(run), description, token);
}

export function runPath(run: string): string {
  return `/api/runs/${encodeURIComponent(run)}`;
}

/** `?a=1&b=2`, without what is null; empty when everything is. */
function queryOf(fields: Readonly<Record<string, string | number | null>>): string {
  const given = Object.entries(fields).filter(
    (field): field is [string, string | number] => field[1] !== null,
  );
  if (given.length === 0) return '';
  return `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, {
    headers: { Accept: 'application/json' },
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

async function send<T>(method: string, path: string, body: unknown, token: string): Promise<T> {
  const response = await fetch(path, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

async function problemOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  return new ApiError(response.status, body?.error?.message ?? `the coordinator answered ${response.status}`);
}
