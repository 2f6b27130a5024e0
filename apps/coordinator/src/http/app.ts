// All routes of one coordinator. Reads are open to whoever reaches the port; the run's token guards the rest.
import { Hono } from 'hono';
import type { Context } from 'hono';
import type { HttpBindings } from '@hono/node-server';
import { PROMETHEUS_CONTENT_TYPE, formatPrometheus } from '@cria/metrics';
import type { Clock, Log } from '@cria/runtime';
import { EventStream } from './event-stream.js';
import { HttpProblem, describeProblem } from './http-problem.js';
import { prometheusFamilies } from './prometheus-families.js';
import { lastEventId } from './requests.js';
import { runRoutes } from './run-routes.js';
import type { RunCatalog, RunView } from './run-view.js';
import { OneRun } from './one-run.js';
import { hostCheck, securityHeaders } from './security.js';
import { StaticFiles } from './static-files.js';

/** Each stream costs a socket and a queue; a browser opens one per tab. */
const MAX_STREAMS = 1000;

export interface AppOptions {
  /** The run that this process serves; null where it only shows runs on disk. */
  readonly view: RunView | null;
  /** All runs that are shown; `view` alone when left out. */
  readonly catalog?: RunCatalog;
  /** The built dashboard. */
  readonly staticDir: string;
  /** Where the server listens, for the Host check. */
  readonly host: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface App {
  fetch: Hono<{ Bindings: HttpBindings }>['fetch'];
  /** Ends every live stream. */
  endStreams(): void;
}

export function createApp(options: AppOptions): App {
  const { view, log } = options;
  const app = new Hono<{ Bindings: HttpBindings }>();
  const streams = new Set<EventStream>();
  const staticFiles = new StaticFiles(options.staticDir);
  app.use(securityHeaders, hostCheck(options.host));
  app.use('/api/*', noStore);
  app.get('/healthz', (c) => c.json({ ok: true }));
  app.get('/readyz', (c) => {
    const ready = view?.live()?.ready() ?? true;
    return c.json({ ready }, ready ? 200 : 503);
  });
  app.get('/metrics', (c) => {
    c.header('Content-Type', PROMETHEUS_CONTENT_TYPE);
    return c.body(formatPrometheus(prometheusFamilies(view, ownProcess())));
  });
  const catalog = options.catalog ?? new OneRun(view);
  app.route(
    '/api/runs',
    runRoutes(catalog, (c, run) => openStream(c, run, { ...options, streams })),
  );
  app.all('/api/*', (c) => {
    throw unknownRoute(c);
  });
  app.get('*', (c) => staticFiles.respond(c));
  app.notFound((c) => respondWithProblem(c, unknownRoute(c), log));
  app.onError((error, c) => respondWithProblem(c, error, log));
  return { fetch: app.fetch, endStreams: () => [...streams].forEach((stream) => stream.end()) };
}

async function noStore(c: Context, next: () => Promise<void>): Promise<void> {
  await next();
  c.res.headers.set('Cache-Control', 'no-store');
}

function openStream(
  c: Context<{ Bindings: HttpBindings }>,
  view: RunView,
  options: { clock: Clock; log: Log; streams: Set<EventStream> },
): Response {
  const { clock, log, streams } = options;
  if (streams.size >= MAX_STREAMS) {
    throw new HttpProblem(503, 'TOO_MANY_STREAMS', `${MAX_STREAMS} live streams are open; close a tab`);
  }
  const drop = (): void => {
    log.info({ streams: streams.size }, 'dropped a live stream that was not read');
    c.env.outgoing.destroy();
  };
  const onEnd = (): void => void streams.delete(stream);
  const stream = new EventStream({ view, clock, cursor: lastEventId(c), drop, onEnd });
  streams.add(stream);
  c.header('Content-Type', 'text/event-stream; charset=utf-8');
  c.header('X-Accel-Buffering', 'no');
  return c.body(stream.open());
}

function unknownRoute(c: Context): HttpProblem {
  const { method, path } = c.req;
  if (method === 'GET' || method === 'POST' || method === 'PATCH') {
    return new HttpProblem(404, 'NOT_FOUND', `nothing answers ${method} ${path}`);
  }
  return new HttpProblem(405, 'METHOD_NOT_ALLOWED', `${method} is not used here`);
}

function respondWithProblem(c: Context, error: unknown, log: Log): Response {
  const { status, body } = describeProblem(error);
  if (status >= 500) log.warn({ error, path: c.req.path }, 'a request failed');
  return c.json(body, status);
}

function ownProcess(): { memoryBytes: number; cpuSeconds: number } {
  const { user, system } = process.cpuUsage();
  return { memoryBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 };
}
