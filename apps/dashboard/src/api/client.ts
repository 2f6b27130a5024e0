// Requests to the coordinator that served this page; to nobody else.
import type { Axis, Checkpoint, MetricName, RunEvent, RunSummary, Series } from './types';

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface SeriesRequest {
  readonly metric: MetricName;
  readonly x: Axis;
  readonly window: readonly [number, number] | null;
  readonly points: number;
  readonly smoothSteps: number;
}

export async function listRuns(): Promise<ReadonlyArray<{ run: string; runId: string }>> {
  return (await read<{ runs: Array<{ run: string; runId: string }> }>('/api/runs')).runs;
}

export function fetchSummary(run: string): Promise<RunSummary> {
  return read(runPath(run));
}

export async function fetchEvents(run: string): Promise<readonly RunEvent[]> {
  return (await read<{ events: RunEvent[] }>(`${runPath(run)}/events`)).events;
}

export async function fetchCheckpoints(run: string): Promise<readonly Checkpoint[]> {
  return (await read<{ checkpoints: Checkpoint[] }>(`${runPath(run)}/checkpoints`)).checkpoints;
}

export function fetchSeries(run: string, request: SeriesRequest, signal: AbortSignal): Promise<Series> {
  const { metric, x, window, points, smoothSteps } = request;
  const query = new URLSearchParams({ metric, x, points: String(points) });
  if (window !== null) {
    query.set('from', String(window[0]));
    query.set('to', String(window[1]));
  }
  if (smoothSteps > 1) query.set('smooth', String(smoothSteps));
  return read(`${runPath(run)}/series?${query}`, signal);
}

export type Control =
  | { readonly name: 'scale'; readonly target: number }
  | { readonly name: 'drain'; readonly worker: string }
  | { readonly name: 'pause' | 'resume' | 'stop' };

/** @throws ApiError with the coordinator's own words */
export async function sendControl(run: string, control: Control, token: string): Promise<void> {
  const { name, ...body } = control;
  const response = await fetch(`${runPath(run)}/${name}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw await problemOf(response);
}

export function runPath(run: string): string {
  return `/api/runs/${encodeURIComponent(run)}`;
}

async function read<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await fetch(path, {
    headers: { Accept: 'application/json' },
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as T;
}

async function problemOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  return new ApiError(response.status, body?.error?.message ?? `the coordinator answered ${response.status}`);
}
