// Runs that lie on disk, over a real server: as they are written by a coordinator, by the logging library, and by accident.
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatLine, genesisPoint, pointAfter, seal } from '@cria/ledger';
import type { LedgerMath, LedgerOps } from '@cria/ledger';
import { silentLog, systemClock } from '@cria/runtime';
import { SyntheticRun } from '../http/fixture/synthetic-run.js';
import { createHttpServer } from '../http/server.js';
import type { HttpServer } from '../http/server.js';
import { DirectoryCatalog } from './run-catalog.js';

let runsDir: string;
let catalog: DirectoryCatalog;
let server: HttpServer;
const live = new SyntheticRun({ run: 'now' });

beforeEach(async () => {
  runsDir = await mkdtemp(join(tmpdir(), 'cria-runs-'));
});
afterEach(async () => {
  await server.stop();
  await catalog.close();
  await rm(runsDir, { recursive: true });
});

async function serve(withLive = true): Promise<void> {
  const view = withLive ? live : null;
  catalog = new DirectoryCatalog({
    ...{ runsDir, live: view, liveDir: withLive ? join(runsDir, 'now') : null },
    ...{ token: withLive ? null : 'local-token', clock: systemClock, log: silentLog },
  });
  server = await createHttpServer({
    ...{ view, catalog, staticDir: runsDir, host: '127.0.0.1', port: 0, clock: systemClock, log: silentLog },
  });
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
async function json(path: string): Promise<any> {
  return (await fetch(`${server.address}${path}`)).json();
}

const patch = (path: string, body: unknown, token: string): Promise<Response> =>
  fetch(`${server.address}${path}`, {
    method: 'PATCH',
    body: JSON.stringify(body),
    headers: { Authorization: `Bearer ${token}` },
  });

async function put(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  const directory = join(runsDir, name);
  await mkdir(directory, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    await writeFile(join(directory, file), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return directory;
}

const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

async function putTrained(name: string, runId: string): Promise<string> {
  const made = new SyntheticRun({ run: 'quickstart', steps: 40 });
  for (let step = 0; step < 40; step++) made.commit();
  return put(name, {
    'metrics.jsonl': lines([...made.metrics().rows()]),
    'events.jsonl': lines(made.events()),
    'config.yaml': 'run: quickstart\nbudget: { steps: 50, sequenceLength: 256, globalBatch: 16 }\n',
    'run.json': {
      run: 'quickstart',
      runId,
      genesis: 'g',
      phase: 'stopped',
      token: 'its-token',
      failure: null,
    },
  });
}

describe('runs on disk', () => {
  it('are listed behind the live one and read as it is', async () => {
    await putTrained('quickstart', 'r1');
    await put('now', { 'metrics.jsonl': '' });
    await put('empty', {});
    await serve();
    const { runs, live: liveId } = await json('/api/runs');
    expect(liveId).toBe(live.runId);
    expect(runs.map(({ id }: { id: string }) => id)).toEqual([live.runId, 'r1']);
    expect(runs[1]).toMatchObject({
      ...{ run: 'quickstart', phase: 'stopped', live: false, source: 'cria', step: 40, steps: 50 },
      tokenBudget: 50 * 4096,
      tokens: 40 * 4096,
    });
    expect(runs[1].metrics.loss.count).toBe(40);
    expect(runs[1].endedWallMs).toBe(runs[1].updatedWallMs);
    const series = await json('/api/runs/r1/series?metric=loss&points=10');
    expect(series).toMatchObject({ bucketSteps: 4, endStep: 40 });
    expect((await json('/api/runs/r1/markers')).total).toBe(3);
    expect((await json('/api/runs/r1/workers')).members).toEqual([]);
    expect((await json('/api/runs/r1/checkpoints')).checkpoints).toEqual([]);
    expect((await json('/api/runs/r1/ledger')).total).toBe(0);
  });

  it('show what is written to them from now on', async () => {
    const directory = await putTrained('quickstart', 'r1');
    await serve();
    expect((await json('/api/runs/r1')).step).toBe(40);
    const more = new SyntheticRun({ steps: 60 });
    for (let step = 0; step < 41; step++) more.commit();
    await appendFile(join(directory, 'metrics.jsonl'), lines([more.metrics().at(40)]));
    expect((await json('/api/runs/r1')).step).toBe(41);
  });

  it('take tags with their own token, and no controls', async () => {
    await putTrained('quickstart', 'r1');
    await serve();
    expect((await patch('/api/runs/r1', { tags: ['x'] }, 'guess')).status).toBe(401);
    expect((await patch('/api/runs/r1', { tags: ['x'] }, 'its-token')).status).toBe(200);
    expect((await json('/api/runs/r1')).tags).toEqual(['x']);
    const pause = await fetch(`${server.address}/api/runs/r1/pause`, {
      method: 'POST',
      headers: { Authorization: 'Bearer its-token' },
    });
    expect(pause.status).toBe(409);
    expect(await pause.text()).toContain('nobody here runs it now');
  });

  it('are told apart by id and found by the name of their directory', async () => {
    await putTrained('quickstart', 'r1');
    await putTrained('quickstart-2', 'r2');
    await serve();
    expect((await json('/api/runs/quickstart-2')).id).toBe('r2');
    expect((await json('/api/runs/r1')).id).toBe('r1');
    const missing = await json('/api/runs/r3');
    expect(missing.error.message).toContain('(r1)');
  });

  it('end their stream of events after the greeting', async () => {
    await putTrained('quickstart', 'r1');
    await serve();
    const response = await fetch(`${server.address}/api/runs/r1/events`);
    const reader = response.body?.getReader();
    const text = Buffer.from((await reader?.read())?.value ?? new Uint8Array()).toString();
    expect(text).toContain('event: hello');
    await reader?.cancel();
  });

  it('that another program logs have its names, and are served without any run', async () => {
    const rows = [0, 1, 2].map((step) => ({
      step,
      segment: 0,
      wallMs: 1000 + step,
      'eval/<b>': step,
      loss: 3 - step,
    }));
    await put('mine', {
      'metrics.jsonl': lines(rows),
      'run.json': {
        run: '<script>x</script>',
        runId: 'm1',
        source: 'logged',
        project: 'p',
        phase: 'running',
      },
      'config.yaml': '{"lr": 0.1, "layers": [1, 2]}',
    });
    await serve(false);
    const { runs, live: liveId } = await json('/api/runs');
    expect(liveId).toBeNull();
    expect(runs).toMatchObject([
      { id: 'm1', run: '<script>x</script>', source: 'logged', project: 'p', phase: 'running', steps: null },
    ]);
    expect(Object.keys(runs[0].metrics)).toEqual(['eval/<b>', 'loss']);
    const name = encodeURIComponent('eval/<b>');
    expect((await json(`/api/runs/m1/series?metric=${name}`)).buckets).toHaveLength(3);
    expect((await fetch(`${server.address}/api/runs/m1/series?metric=valLoss`)).status).toBe(404);
    expect((await json('/api/runs/m1/config')).flat).toEqual({ lr: 0.1, 'layers.0': 1, 'layers.1': 2 });
    expect((await fetch(`${server.address}/readyz`)).status).toBe(200);
    expect(await (await fetch(`${server.address}/metrics`)).text()).toContain(
      'process_resident_memory_bytes',
    );
    expect((await patch('/api/runs/m1', { note: 'n' }, 'local-token')).status).toBe(200);
  });

  it('break nothing when they are damaged', async () => {
    await put('broken', {
      'metrics.jsonl': '{"step":0,"loss":1}\nnull\n{"step":"x"}\n{"step":1,"loss":null}\n{"step":2,"lo',
      'run.json': '{"run": 5, "runId": [',
      'config.yaml': 'a: [1, 2',
      'events.jsonl': '{}\n\u0000',
      'notes.json': '{"tags": [1, "ok"], "note": {}}',
      'samples.jsonl': '{"step":0,"prompt":0,"promptText":"p","text":"t"}\n{"prompt":1e9}\n',
      'alerts.jsonl': '7\n',
      'ledger.jsonl': 'no ledger\n',
    });
    await serve(false);
    const summary = await json('/api/runs/broken');
    expect(summary).toMatchObject({ run: 'broken', phase: 'unknown', step: 2, tags: ['ok'], note: '' });
    expect(summary.metrics.loss).toMatchObject({ count: 1, notFinite: 1 });
    expect((await json('/api/runs/broken/samples')).samples).toHaveLength(1);
    expect(await json('/api/runs/broken/ledger')).toMatchObject({ total: 0, chain: 'broken' });
  });
});

describe('a ledger on disk', () => {
  const math = (step: number): LedgerMath => ({
    ...{ step, tokens: 4096, lr: 0.5, loss: 4 - step / 10, gradNorm: 1, flagged: step === 3 ? [2] : [] },
    ...{ stateDigest: '0123456789abcdef', gradDigest: '0123456789abcdef' },
    verdict: step === 3 ? 'skip' : 'use',
  });
  const ops = (step: number): LedgerOps => ({
    term: { number: step < 4 ? 1 : 2, leader: 'c-1' },
    attempt: step + 1,
    members: [{ worker: 'w-1', slots: [0, 1] }],
    recomputed: [],
    desired: { revision: 1, target: 2, paused: false },
    wallMs: 1_700_000_000_000 + step,
  });
  function ledger(count: number): string {
    let point = genesisPoint('r1', 'g'.repeat(64));
    let text = '';
    for (let step = 0; step < count; step++) {
      const entry = seal(point, math(step), ops(step));
      text += `${formatLine(entry)}\n`;
      point = pointAfter(entry);
    }
    return text;
  }

  it('is read on as it grows, with both chains followed', async () => {
    const directory = await putTrained('quickstart', 'r1');
    await put('quickstart', { 'run.json': { runId: 'r1', genesis: 'g'.repeat(64), phase: 'running' } });
    const path = join(directory, 'ledger.jsonl');
    await writeFile(path, ledger(5));
    await serve(false);
    const page = await json('/api/runs/r1/ledger?from=2&count=2');
    expect(page).toMatchObject({ total: 5, chain: 'whole', terms: 2, head: { step: 4 } });
    expect(page.coverage).toMatchObject({ steps: 5, tokens: 5 * 4096, skippedSteps: 1, skippedTokens: 4096 });
    expect(page.entries).toMatchObject([{ step: 2 }, { step: 3, verdict: 'skip', flagged: [2], attempt: 4 }]);
    await writeFile(path, ledger(9));
    expect(await json('/api/runs/r1/ledger')).toMatchObject({ total: 9, chain: 'whole' });
    await writeFile(path, ledger(3));
    expect(await json('/api/runs/r1/ledger')).toMatchObject({ total: 3, chain: 'whole' });
    const [whole, place] = [ledger(9), ledger(9).lastIndexOf('"w-1"')];
    await writeFile(path, `${whole.slice(0, place)}"w-2"${whole.slice(place + 5)}`);
    const broken = await json('/api/runs/r1/ledger');
    expect(broken.chain).toBe('broken');
    expect(broken.problem).not.toBe('');
  });
});
