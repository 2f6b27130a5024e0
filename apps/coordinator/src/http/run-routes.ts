// The routes of docs' HTTP contract under /api. `{id}` is the run's name or its id.
import { Hono } from 'hono';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { csvChunks, estimateRemainingMs, seriesOf } from '@cria/metrics';
import type { StepMetrics } from '@cria/metrics';
import { HttpProblem } from './http-problem.js';
import { seriesQueries, targetOf, workerOf } from './requests.js';
import type { RunStatus, RunView } from './run-view.js';

const MAX_BODY_BYTES = 16 * 1024;

/** A run's status with what follows from its metrics. */
export interface RunSummary extends RunStatus {
  /** Tokens used and to be used. */
  readonly tokens: number;
  readonly tokenBudget: number;
  /** Milliseconds of training left at the present pace; null before there is one. */
  readonly remainingMs: number | null;
  readonly latest: StepMetrics | null;
  /** The newest validation loss that was finite. */
  readonly valLoss: number | null;
}

export function runRoutes(view: RunView, openStream: (c: Context, view: RunView) => Response): Hono {
  const routes = new Hono();
  const findRun = (c: Context): RunView => {
    const wanted = c.req.param('id');
    const { run, runId } = view.status();
    if (wanted === run || wanted === runId) return view;
    throw new HttpProblem(404, 'NOT_FOUND', `no run "${wanted}" here; there is "${run}" (${runId})`);
  };
  routes.get('/', (c) => c.json({ runs: [summaryOf(view)].map(briefly) }));
  routes.get('/:id', (c) => c.json(summaryOf(findRun(c))));
  routes.get('/:id/series', (c) => {
    const history = findRun(c).metrics();
    const series = seriesQueries(c, history).map((query) => seriesOf(history, query));
    return c.json(series.length === 1 ? series[0] : { series });
  });
  routes.get('/:id/workers', (c) => {
    const { members, seats, coordinators, leader, step } = findRun(c).status();
    return c.json({ members, seats, coordinators, leader, step });
  });
  routes.get('/:id/checkpoints', (c) => c.json({ checkpoints: findRun(c).checkpoints() }));
  routes.get('/:id/config', (c) => c.json({ config: findRun(c).config() }));
  routes.get('/:id/events', (c) => {
    const run = findRun(c);
    if (c.req.header('accept')?.includes('application/json')) return c.json({ events: run.events() });
    return openStream(c, run);
  });
  routes.get('/:id/export.csv', (c) => exportCsv(c, findRun(c)));
  addControls(routes, findRun);
  return routes;
}

function addControls(routes: Hono, findRun: (c: Context) => RunView): void {
  const tooLarge = (): never => {
    throw new HttpProblem(413, 'BODY_TOO_LARGE', `a body is at most ${MAX_BODY_BYTES} bytes`);
  };
  const limit = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: tooLarge });
  const control = (name: string, act: (view: RunView, c: Context) => Promise<void>): void => {
    routes.post(`/:id/${name}`, limit, async (c) => {
      const view = findRun(c);
      requireToken(c, view);
      await act(view, c);
      return c.json({ accepted: name }, 202);
    });
  };
  control('scale', async (view, c) => view.scale(await targetOf(c)));
  control('drain', async (view, c) => view.drain(await workerOf(c)));
  control('pause', (view) => view.pause());
  control('resume', (view) => view.resume());
  control('stop', (view) => view.stop());
}

function requireToken(c: Context, view: RunView): void {
  const token = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  if (token !== undefined && view.authorised(token)) return;
  c.header('WWW-Authenticate', 'Bearer');
  const message =
    token === undefined ? 'this needs "Authorization: Bearer <token>"' : 'this is not the token';
  throw new HttpProblem(401, 'UNAUTHORISED', `${message}; run.json in the run's directory holds it`);
}

function summaryOf(view: RunView): RunSummary {
  const status = view.status();
  const metrics = view.metrics();
  const latest = metrics.last();
  return {
    ...status,
    tokens: latest?.tokens ?? 0,
    tokenBudget: status.tokensPerStep * status.steps,
    remainingMs: estimateRemainingMs(metrics, status.steps),
    latest,
    valLoss: metrics.column('valLoss').lastFinite(),
  };
}

function briefly(summary: RunSummary): Record<string, unknown> {
  const { run, runId, phase, reason, step, steps, term, tokens, tokenBudget, remainingMs } = summary;
  const loss = summary.latest?.loss ?? null;
  const workers = summary.members.filter((member) => member.role === 'member').length;
  const brief = { run, runId, phase, reason, step, steps, term, tokens, tokenBudget, remainingMs };
  return { ...brief, loss, workers, startedWallMs: summary.startedWallMs };
}

function exportCsv(c: Context, view: RunView): Response {
  const chunks = csvChunks(view.metrics());
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = chunks.next();
      if (done) controller.close();
      else controller.enqueue(Buffer.from(value));
    },
  });
  const name = view.status().run.replace(/[^A-Za-z0-9._-]/g, '_');
  c.header('Content-Type', 'text/csv; charset=utf-8');
  c.header('Content-Disposition', `attachment; filename="${name}.csv"`);
  return c.body(body);
}
