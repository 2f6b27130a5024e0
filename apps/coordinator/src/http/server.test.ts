import { request as httpRequest } from 'node:http';
import { mkdtemp, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CriaError, silentLog, systemClock } from '@cria/runtime';
import { SyntheticRun } from './fixture/synthetic-run.js';
import { createHttpServer } from './server.js';
import type { HttpServer } from './server.js';

let run: SyntheticRun;
let server: HttpServer;
let directory: string;

const start = (view: SyntheticRun, fields: Partial<Parameters<typeof createHttpServer>[0]> = {}) =>
  createHttpServer({
    view,
    staticDir: directory,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silentLog,
    ...fields,
  });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cria-http-'));
  run = new SyntheticRun();
  for (let step = 0; step < 60; step++) run.commit();
  server = await start(run);
});
afterEach(async () => {
  await server.stop();
  await rm(directory, { recursive: true });
});

const url = (path: string): string => `${server.address}${path}`;
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url(path), { headers });
const json = async (path: string): Promise<any> => (await get(path)).json(); // eslint-disable-line @typescript-eslint/no-explicit-any
const post = (path: string, body: unknown, token: string | null = run.token): Promise<Response> =>
  fetch(url(path), {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
  });

/** fetch does not let a test choose the Host header. */
function statusWithHost(host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url('/api/runs'), { headers: { Host: host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('error', reject);
    request.end();
  });
}

describe('reads', () => {
  it('say that the process lives and whether it is ready', async () => {
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    run.isReady = false;
    expect((await get('/readyz')).status).toBe(503);
    expect((await get('/healthz')).status).toBe(200);
  });

  it('list the run and describe it by name and by id', async () => {
    const { runs } = await json('/api/runs');
    expect(runs).toMatchObject([{ run: 'quickstart', phase: 'running', step: 60, steps: 200, workers: 2 }]);
    const byName = await json('/api/runs/quickstart');
    expect(byName).toEqual(await json(`/api/runs/${run.runId}`));
    expect(byName).toMatchObject({ tokens: 60 * 4096, tokenBudget: 200 * 4096, latest: { step: 59 } });
    expect(byName.remainingMs).toBeGreaterThan(140 * 200);
  });

  it('give a series in buckets with min, max and last', async () => {
    const series = await json('/api/runs/quickstart/series?metric=loss&x=tokens&from=&to=&points=10');
    expect(series).toMatchObject({ metric: 'loss', x: 'tokens', bucketSteps: 8 });
    expect(series.buckets).toHaveLength(8);
    for (const { min, max, last } of series.buckets) {
      expect(min).toBeLessThanOrEqual(last);
      expect(max).toBeGreaterThanOrEqual(last);
    }
    const zoomed = await json('/api/runs/quickstart/series?metric=loss&x=step&from=20&to=29&points=10');
    expect(zoomed.bucketSteps).toBe(1);
    expect(zoomed.buckets.map((bucket: { step: number }) => bucket.step)).toContain(25);
  });

  it('give several metrics in one answer, smoothed in either way', async () => {
    const path = '/api/runs/quickstart/series?metric=loss&metric=valLoss&x=step&points=10';
    const { series } = await json(`${path}&smoothing=twema:0.9`);
    expect(series.map((one: { metric: string }) => one.metric)).toEqual(['loss', 'valLoss']);
    expect(series[0]).toMatchObject({ firstX: 0, lastX: 59, smoothing: { kind: 'twema', lastX: 59 } });
    const ema = (await json(`${path}&smoothing=ema:0.9`)).series[0];
    expect(ema.buckets.at(-1).smooth).toBeCloseTo(ema.smoothing.sum / ema.smoothing.debias, 12);
    expect((await json(`${path}&smoothing=off`)).series[0].buckets[0]).not.toHaveProperty('smooth');
  });

  it('give members, checkpoints, configuration and the history of events', async () => {
    expect((await json('/api/runs/quickstart/workers')).members).toHaveLength(2);
    expect((await json('/api/runs/quickstart/checkpoints')).checkpoints).toMatchObject([{ step: 50 }]);
    expect((await json('/api/runs/quickstart/config')).config).toMatchObject({ seed: 1337 });
    const events = await get('/api/runs/quickstart/events', { Accept: 'application/json' });
    expect(((await events.json()) as { events: unknown[] }).events).toHaveLength(3);
  });

  it('export every step as CSV', async () => {
    const response = await get('/api/runs/quickstart/export.csv');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="quickstart.csv"');
    const lines = (await response.text()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(61);
    expect(lines[0]).toMatch(/^step,loss,/);
  });

  it('speak the text format of Prometheus', async () => {
    run.commit({ loss: null, verdict: 'skip' });
    const response = await get('/metrics');
    expect(response.headers.get('content-type')).toContain('version=0.0.4');
    const text = await response.text();
    expect(text).toMatch(/^cria_loss\{run="quickstart"\} NaN$/m);
    expect(text).toMatch(/^cria_validation_loss\{run="quickstart"\} \d/m);
    expect(text).toMatch(/^cria_run_phase\{run="quickstart",phase="running"\} 1$/m);
    expectValidExposition(text);
  });
});

/** The rules of the exposition format that a writer can break; promtool is held against it elsewhere. */
function expectValidExposition(text: string): void {
  expect(text.endsWith('\n')).toBe(true);
  const seen = new Set<string>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (comment?.[1] === 'HELP') {
      family = comment[2] as string;
      expect(seen).not.toContain(family);
      seen.add(family);
    } else if (comment) {
      expect(comment[2]).toBe(family);
      expect(comment[3]).toBe(family.endsWith('_total') ? 'counter' : 'gauge');
    } else {
      const sample = /^([a-z_]+)(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? (NaN|[+-]?Inf|[-0-9.e+]+)$/.exec(
        line,
      );
      expect(sample?.[1], line).toBe(family);
    }
  }
  expect(seen.size).toBeGreaterThan(20);
}

describe('a request that makes no sense', () => {
  it.each([
    ['/api/runs/other', 404, 'NOT_FOUND', 'quickstart'],
    ['/api/nothing', 404, 'NOT_FOUND', '/api/nothing'],
    ['/api/runs/quickstart/series?metric=elo', 400, 'BAD_REQUEST', 'gradNorm'],
    ['/api/runs/quickstart/series?x=moon', 400, 'BAD_REQUEST', 'tokens'],
    ['/api/runs/quickstart/series?from=a', 400, 'BAD_REQUEST', 'from is a number'],
    ['/api/runs/quickstart/series?from=9&to=3', 400, 'BAD_REQUEST', 'greater'],
    ['/api/runs/quickstart/series?points=0', 400, 'BAD_REQUEST', 'points'],
    ['/api/runs/quickstart/series?smooth=0.5', 400, 'BAD_REQUEST', 'smooth'],
    ['/api/runs/quickstart/series?smoothing=ema:1', 400, 'BAD_REQUEST', 'twema:W'],
    ['/api/runs/quickstart/series?smoothing=gauss', 400, 'BAD_REQUEST', 'twema:W'],
    [`/api/runs/quickstart/series?${'metric=loss&'.repeat(33)}`, 400, 'BAD_REQUEST', 'at most 32'],
  ])('%s is refused with what would be right', async (path, status, code, hint) => {
    const response = await get(path);
    expect(response.status).toBe(status);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe(code);
    expect(error.message).toContain(hint);
  });

  it('is refused for methods that are not used', async () => {
    const response = await fetch(url('/api/runs/quickstart'), { method: 'DELETE' });
    expect(response.status).toBe(405);
  });
});

describe('controls', () => {
  it('act with the token of the run', async () => {
    const worker = run.status().members[0]?.id ?? '';
    expect((await post('/api/runs/quickstart/scale', { target: 5 })).status).toBe(202);
    expect((await post(`/api/runs/${run.runId}/drain`, { worker })).status).toBe(202);
    for (const name of ['pause', 'resume', 'stop']) {
      expect((await post(`/api/runs/quickstart/${name}`, '')).status).toBe(202);
    }
    expect(run.asked).toEqual(['scale 5', `drain ${worker}`, 'pause', 'resume', 'stop']);
  });

  it('refuse without it, with another, and for another run, before anything is done', async () => {
    expect((await post('/api/runs/quickstart/stop', '', null)).status).toBe(401);
    const refused = await post('/api/runs/quickstart/stop', '', 'guess');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    expect((await post('/api/runs/other/stop', '')).status).toBe(404);
    expect(run.asked).toEqual([]);
  });

  it('refuse what is not a number of workers, and pass on why the run refuses', async () => {
    for (const body of ['', '[]x', '7', { target: '3' }, { target: -1 }, { target: 1.5 }, {}]) {
      expect((await post('/api/runs/quickstart/scale', body)).status).toBe(400);
    }
    expect(run.asked).toEqual([]);
    const refused = await post('/api/runs/quickstart/scale', { target: 65 });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toEqual({
      error: { code: 'CONFIG_INVALID', message: 'at most 64 workers are useful, not 65' },
    });
  });

  it('say 503 where another coordinator leads, and hide what broke inside', async () => {
    run.pause = () => Promise.reject(new CriaError('LEASE_LOST', 'c-2 leads'));
    expect((await post('/api/runs/quickstart/pause', '')).status).toBe(503);
    run.pause = () => Promise.reject(new Error('secret path'));
    const broken = await post('/api/runs/quickstart/pause', '');
    expect(broken.status).toBe(500);
    expect(await broken.text()).not.toContain('secret');
  });

  it('refuse a body that is too large', async () => {
    const response = await post('/api/runs/quickstart/scale', { target: 1, padding: 'x'.repeat(20_000) });
    expect(response.status).toBe(413);
  });
});

describe('the browser', () => {
  it('is told to load nothing from elsewhere and to let nobody frame or read this', async () => {
    const { headers } = await get('/api/runs', { Origin: 'https://example.com' });
    expect(headers.get('content-security-policy')).toContain("connect-src 'self'");
    expect(headers.get('content-security-policy')).not.toMatch(/unsafe|https?:|\*/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('gets nothing under a name that only points here', async () => {
    expect(await statusWithHost('evil.example')).toBe(403);
    expect(await statusWithHost(`evil.example:${server.port}`)).toBe(403);
    expect(await statusWithHost('127.0.0.1.evil.example')).toBe(403);
    expect(await statusWithHost(`localhost:${server.port}`)).toBe(200);
    expect(await statusWithHost('[::1]')).toBe(200);
  });

  it('is told how to build the dashboard where it is not built, and gets it once it is', async () => {
    const missing = await get('/');
    expect(missing.status).toBe(503);
    expect(await missing.text()).toContain('npx nx build @cria/dashboard');
    await mkdir(join(directory, 'assets'));
    await writeFile(join(directory, 'assets', 'app-1a2b.js'), 'export {};\n'.repeat(100));
    await writeFile(join(directory, 'index.html'), '<!doctype html><title>Cria</title>');
    const page = await get('/');
    expect(page.status).toBe(200);
    expect(page.headers.get('cache-control')).toBe('no-cache');
    const etag = page.headers.get('etag') ?? '';
    expect((await get('/', { 'If-None-Match': etag })).status).toBe(304);
    const asset = await get('/assets/app-1a2b.js');
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect(asset.headers.get('content-encoding')).toBe('gzip');
    expect(await asset.text()).toBe('export {};\n'.repeat(100));
    expect((await get('/runs/quickstart', { Accept: 'text/html' })).status).toBe(200);
    expect((await get('/assets/gone.js', { Accept: 'text/html' })).status).toBe(404);
  });

  it('gets the new dashboard when it was built again', async () => {
    const index = join(directory, 'index.html');
    await writeFile(index, 'old');
    expect(await (await get('/')).text()).toBe('old');
    await writeFile(index, 'new');
    await utimes(index, 1_700_000_000, 1_700_000_000);
    expect(await (await get('/')).text()).toBe('new');
  });

  it('cannot leave the directory of the dashboard', async () => {
    await writeFile(join(directory, 'index.html'), 'page');
    for (const path of [
      '/../package.json',
      '/..%2f..%2fetc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '//etc/passwd',
    ]) {
      expect((await get(path)).status).toBe(404);
    }
  });
});

describe('a run with a hostile name', () => {
  it('breaks neither JSON nor headers nor Prometheus', async () => {
    const name = '<script>alert(1)</script>"\\\n/..';
    const hostile = new SyntheticRun({ run: name });
    hostile.commit();
    const other = await start(hostile);
    try {
      const base = `${other.address}/api/runs/${encodeURIComponent(name)}`;
      expect(((await (await fetch(base)).json()) as { run: string }).run).toBe(name);
      const csv = await fetch(`${base}/export.csv`);
      expect(csv.headers.get('content-disposition')).toMatch(/^attachment; filename="[A-Za-z0-9._-]+"$/);
      await csv.text();
      expectValidExposition(await (await fetch(`${other.address}/metrics`)).text());
    } finally {
      await other.stop();
    }
  });
});

describe('the port', () => {
  it('that is in use is named with the flag that chooses another', async () => {
    const second = start(run, { port: server.port });
    await expect(second).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await expect(second).rejects.toThrow(new RegExp(`port ${server.port} .*--http-port`));
  });

  it('cannot be that of another machine', async () => {
    await expect(start(run, { host: '192.0.2.1' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
