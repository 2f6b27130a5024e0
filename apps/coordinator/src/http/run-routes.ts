// The routes of docs/http-api.md under /api/runs that read, and PATCH for what people write about a run.
import { Hono } from 'hono';
import type { Context } from 'hono';
import { ALERT_RULES, csvChunks, describeMetric, isMetricName, seriesOf } from '@cria/metrics';
import type { MetricHistory, StepMetrics } from '@cria/metrics';
import { addControls } from './control-routes.js';
import { download } from './download.js';
import { flatConfig } from './flat-config.js';
import { HttpProblem } from './http-problem.js';
import { readLogPage } from './log-page.js';
import { ledgerQuery, logQuery, markerQuery, sampleQuery, seriesQueries } from './requests.js';
import { briefOf, median, metricSummary, summaryOf, withComparison } from './run-summary.js';
import type { CheckpointView, RunCatalog, RunView } from './run-view.js';

export type OpenStream = (c: Context, view: RunView) => Response;
export type FindRun = (c: Context) => Promise<RunView>;

export function runRoutes(catalog: RunCatalog, openStream: OpenStream): Hono {
  const routes = new Hono();
  const findRun: FindRun = async (c) => {
    const wanted = c.req.param('id') ?? '';
    const view = await catalog.find(wanted);
    if (view !== null) return view;
    const here = (await catalog.list()).slice(0, 10).map((one) => `"${one.facts().run}" (${one.facts().id})`);
    const there = here.length === 0 ? 'no run at all' : here.join(', ');
    throw new HttpProblem(404, 'NOT_FOUND', `no run "${wanted}" here; there is ${there}`);
  };
  routes.get('/', async (c) => {
    const runs = (await catalog.list()).map(briefOf);
    return c.json({ runs, live: catalog.live?.facts().id ?? null });
  });
  routes.get('/:id', async (c) => c.json(summaryOf(await findRun(c))));
  addMetricRoutes(routes, findRun);
  addRecordRoutes(routes, findRun);
  routes.get('/:id/events', async (c) => {
    const run = await findRun(c);
    if (c.req.header('accept')?.includes('application/json')) return c.json(markersOf(c, run));
    return openStream(c, run);
  });
  routes.get('/:id/markers', async (c) => c.json(markersOf(c, await findRun(c))));
  addControls(routes, findRun, catalog);
  return routes;
}

function addMetricRoutes(routes: Hono, findRun: FindRun): void {
  routes.get('/:id/metrics', async (c) => {
    const history = (await findRun(c)).metrics();
    const metrics = history.names.map((name) => ({
      name,
      help: isMetricName(name) ? describeMetric(name).help : '',
      ...metricSummary(history, name),
    }));
    return c.json({ metrics, steps: history.rowCount, firstStep: history.firstStep });
  });
  routes.get('/:id/series', async (c) => {
    const history = (await findRun(c)).metrics();
    const series = seriesQueries(c, history).map((query) => seriesOf(history, query));
    return c.json(series.length === 1 ? series[0] : { series });
  });
  routes.get('/:id/export.csv', async (c) => {
    const run = await findRun(c);
    return download(c, run, { extension: 'csv', type: 'text/csv', chunks: csvChunks(run.metrics()) });
  });
  routes.get('/:id/export.jsonl', async (c) => {
    const run = await findRun(c);
    const chunks = jsonLines(run.metrics());
    return download(c, run, { extension: 'jsonl', type: 'application/x-ndjson', chunks });
  });
}

function addRecordRoutes(routes: Hono, findRun: FindRun): void {
  routes.get('/:id/workers', async (c) => {
    const status = (await findRun(c)).live()?.status() ?? null;
    const members = withComparison(status);
    const speeds = members.filter(({ role, tokensPerSecond }) => role === 'member' && tokensPerSecond > 0);
    return c.json({
      members,
      seats: status?.seats ?? { target: 0, waiting: 0 },
      coordinators: status?.coordinators ?? [],
      leader: status?.leader ?? '',
      step: status?.step ?? 0,
      slots: status?.slots ?? 0,
      medianTokensPerSecond: median(speeds.map(({ tokensPerSecond }) => tokensPerSecond)),
    });
  });
  routes.get('/:id/checkpoints', async (c) => {
    const run = await findRun(c);
    const flat = flatConfig(run.config());
    return c.json({
      checkpoints: withLosses(await run.checkpoints(), run.metrics()),
      everySteps: flat['checkpoint.everySteps'] ?? null,
      keep: flat['checkpoint.keep'] ?? null,
    });
  });
  routes.get('/:id/ledger', async (c) => c.json(await ledgerPage(c, await findRun(c))));
  routes.get('/:id/samples', async (c) => c.json(await samplesOf(c, await findRun(c))));
  routes.get('/:id/logs', async (c) => {
    const run = await findRun(c);
    const members = run.live()?.status().members ?? [];
    return c.json(await readLogPage(run.logsDirectory(), logQuery(c), members));
  });
  routes.get('/:id/config', async (c) => {
    const config = (await findRun(c)).config();
    return c.json({ config, flat: flatConfig(config) });
  });
  routes.get('/:id/alerts', async (c) => {
    const flat = flatConfig((await findRun(c)).config());
    const rules = Object.entries(ALERT_RULES).map(([rule, help]) => ({ rule, help, on: isOn(flat, rule) }));
    return c.json({ alerts: (await findRun(c)).alerts(), rules });
  });
}

/** A rule is off where the configuration has null or false in its place. */
function isOn(flat: Readonly<Record<string, unknown>>, rule: string): boolean {
  const field = rule.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  const value = flat[`alerts.${field}`];
  return value === undefined || (value !== null && value !== false);
}

function markersOf(c: Context, run: RunView): Record<string, unknown> {
  const { from, to, kinds, worker, after, limit } = markerQuery(c);
  const wanted = run
    .events()
    .filter(
      (event) =>
        event.step >= from &&
        event.step <= to &&
        (kinds.length === 0 || kinds.includes(event.kind)) &&
        (worker === null || event.worker === worker),
    );
  const later = wanted.filter(({ seq }) => seq > after);
  const events = later.slice(0, limit);
  return {
    events,
    total: wanted.length,
    next: later.length > events.length ? (events.at(-1)?.seq ?? null) : null,
  };
}

function withLosses(checkpoints: readonly CheckpointView[], history: MetricHistory): unknown[] {
  return checkpoints.map((checkpoint, i) => {
    const row = history.at(checkpoint.step - 1);
    return {
      ...checkpoint,
      loss: row?.loss ?? null,
      valLoss: newestBefore(history, checkpoint.step),
      parent: checkpoints[i - 1]?.step ?? null,
    };
  });
}

/** The newest validation loss of the steps below `step`, looked for over a bounded way. */
function newestBefore(history: MetricHistory, step: number): number | null {
  const column = history.column('valLoss');
  for (let at = step - 1; at >= Math.max(0, step - 5000); at--) {
    const value = column.at(at);
    if (Number.isFinite(value)) return value;
  }
  return null;
}

async function ledgerPage(c: Context, run: RunView): Promise<unknown> {
  const { from, count } = ledgerQuery(c);
  const source = run.ledger();
  const { total, head, tokens, skippedSteps, skippedTokens, gaps, overlaps, terms, chain, problem } =
    await source.summary();
  const first = from ?? Math.max(0, total - count);
  const { steps, tokensPerStep } = run.facts();
  const coverage = {
    ...{ steps: total, budgetSteps: steps, tokens },
    tokenBudget: steps === null || tokensPerStep === null ? null : steps * tokensPerStep,
    ...{ skippedSteps, skippedTokens, gaps, overlaps },
  };
  const entries = await source.entries(first, count);
  return { from: first, total, entries, head, coverage, terms, chain, problem };
}

async function samplesOf(c: Context, run: RunView): Promise<unknown> {
  const { prompt, from, to, limit } = sampleQuery(c);
  const all = await run.samples();
  const flat = flatConfig(run.config());
  const prompts: string[] = [];
  for (const sample of all) prompts[sample.prompt] ??= sample.promptText;
  const wanted = all.filter(
    (sample) => sample.step >= from && sample.step <= to && (prompt === null || sample.prompt === prompt),
  );
  return {
    prompts: Array.from(prompts, (text) => text ?? ''),
    everySteps: typeof flat['samples.everySteps'] === 'number' ? flat['samples.everySteps'] : null,
    steps: [...new Set(all.map(({ step }) => step))],
    samples: wanted.slice(-limit),
  };
}

function* jsonLines(history: MetricHistory): Generator<string, void, void> {
  let lines: string[] = [];
  for (const row of history.rows() as Iterable<StepMetrics>) {
    lines.push(JSON.stringify(row));
    if (lines.length < 1000) continue;
    yield `${lines.join('\n')}\n`;
    lines = [];
  }
  if (lines.length > 0) yield `${lines.join('\n')}\n`;
}
