// The routes beyond charts and controls, over a real server: metrics, markers, ledger, samples, logs, alerts, notes.
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, systemClock } from '@cria/runtime';
import { SyntheticRun } from './fixture/synthetic-run.js';
import { createHttpServer } from './server.js';
import type { HttpServer } from './server.js';

let run: SyntheticRun;
let server: HttpServer;
let logs: string;

beforeEach(async () => {
  logs = await mkdtemp(join(tmpdir(), 'cria-logs-'));
  run = new SyntheticRun({ logsDirectory: logs });
  for (let step = 0; step < 60; step++) run.commit();
  server = await createHttpServer({
    view: run,
    staticDir: logs,
    host: '127.0.0.1',
    port: 0,
    clock: systemClock,
    log: silentLog,
  });
});
afterEach(async () => {
  await server.stop();
  await rm(logs, { recursive: true });
});

const RUN = '/api/runs/quickstart';
// eslint-disable-next-line @typescript-eslint/no-explicit-any
async function json(path: string): Promise<any> {
  return (await fetch(`${server.address}${path}`)).json();
}
const change = (
  method: string,
  path: string,
  body: unknown,
  token: string | null = run.token,
): Promise<Response> =>
  fetch(`${server.address}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: token === null ? {} : { Authorization: `Bearer ${token}` },
  });

describe('metrics', () => {
  it('are listed with unit, extremes and where they were best', async () => {
    const { metrics, steps } = await json(`${RUN}/metrics`);
    expect(steps).toBe(60);
    const losses = [...run.metrics().rows()].map(({ loss }) => loss ?? 0);
    const loss = metrics.find(({ name }: { name: string }) => name === 'loss');
    expect(loss).toMatchObject({
      unit: 'nats',
      last: losses.at(-1),
      min: Math.min(...losses),
      max: Math.max(...losses),
      best: Math.min(...losses),
      bestStep: losses.indexOf(Math.min(...losses)),
      count: 60,
      notFinite: 0,
    });
    const lr = metrics.find(({ name }: { name: string }) => name === 'lr');
    expect(lr).toMatchObject({ best: null, bestStep: null });
  });

  it('stand in the list of runs and, with cost, segments and flat configuration, in the summary', async () => {
    const { runs, live } = await json('/api/runs');
    expect(live).toBe(run.runId);
    expect(runs[0]).toMatchObject({ id: run.runId, live: true, source: 'cria', tags: [], note: '' });
    expect(Object.keys(runs[0].metrics)).toEqual(['loss', 'valLoss', 'tokensPerSecond', 'gradNorm']);
    run.resumeFrom(40);
    run.commit();
    const summary = await json(RUN);
    expect(summary.config).toMatchObject({ 'optimizer.betas.1': 0.95, 'data.train.0.path': 'data/factbook' });
    expect(summary.segments).toMatchObject([
      { segment: 0, firstStep: 0, endStep: 40 },
      { segment: 1, firstStep: 40, endStep: 41 },
    ]);
    // 41 steps of a quarter of a second by two workers, at 2.5 an hour.
    expect(summary.cost.soFar).toBeCloseTo((2.5 * 41 * 0.25 * 2) / 3600, 3);
    expect(summary.cost.total).toBeCloseTo((summary.cost.soFar / 41) * 200, 9);
  });

  it('are exported as JSON lines', async () => {
    run.commit({ loss: Infinity, verdict: 'skip' });
    const response = await fetch(`${server.address}${RUN}/export.jsonl`);
    expect(response.headers.get('content-disposition')).toContain('quickstart.jsonl');
    const lines = (await response.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(61);
    expect(lines[60]).toMatchObject({ step: 60, loss: null, verdict: 'skip', segment: 0 });
  });
});

describe('markers', () => {
  it('come in pages, by steps, kind and worker', async () => {
    const lost = run.kill(0);
    run.commit();
    run.replace();
    const all = await json(`${RUN}/markers`);
    expect(all).toMatchObject({ total: run.events().length, next: null });
    expect(all.events).toEqual(run.events());
    const first = await json(`${RUN}/markers?limit=2`);
    expect(first.events).toHaveLength(2);
    const second = await json(`${RUN}/markers?limit=2&after=${first.next}`);
    expect(second.events).toEqual(run.events().slice(2, 4));
    const about = await json(`${RUN}/markers?kind=worker-lost&kind=worker-joined&from=60&to=60`);
    expect(about.events).toMatchObject([{ kind: 'worker-lost', worker: lost, step: 60 }]);
    expect((await json(`${RUN}/markers?worker=${lost}`)).total).toBe(1);
    expect((await json(`${RUN}/markers?from=9&to=3`)).error.message).toContain('greater');
  });
});

describe('the cluster', () => {
  it('is compared with its median', async () => {
    const { members, medianTokensPerSecond, slots } = await json(`${RUN}/workers`);
    expect(slots).toBe(8);
    const ratios = members.map((member: { speedRatio: number }) => member.speedRatio);
    expect((ratios[0] + ratios[1]) / 2).toBeCloseTo(1, 9);
    expect(members[0].tokensPerSecond / medianTokensPerSecond).toBeCloseTo(ratios[0], 9);
    expect(members[0]).toMatchObject({ lagSteps: 0, version: '0.1.0', threads: 16 });
  });
});

describe('checkpoints and ledger', () => {
  it('say which loss a checkpoint has', async () => {
    const { checkpoints, everySteps } = await json(`${RUN}/checkpoints`);
    expect(everySteps).toBe(50);
    const row = run.metrics().at(49);
    expect(checkpoints).toMatchObject([
      { step: 50, loss: row?.loss, valLoss: row?.valLoss, parent: null, verify: 'verified' },
    ]);
  });

  it('give the newest entries, or those from a place on, and what all of them cover', async () => {
    const newest = await json(`${RUN}/ledger?count=5`);
    expect(newest).toMatchObject({ from: 55, total: 60, chain: 'whole' });
    expect(newest.coverage).toMatchObject({ steps: 60, budgetSteps: 200, tokens: 60 * 4096, gaps: 0 });
    expect(newest.entries.map(({ step }: { step: number }) => step)).toEqual([55, 56, 57, 58, 59]);
    expect(newest.entries[0].members).toHaveLength(2);
    expect((await json(`${RUN}/ledger?from=58&count=100`)).entries).toHaveLength(2);
    expect((await json(`${RUN}/ledger?from=-1`)).error.code).toBe('BAD_REQUEST');
  });
});

describe('samples', () => {
  it('are given by prompt and step, with all steps for a slider', async () => {
    for (let step = 60; step < 120; step++) run.commit();
    const all = await json(`${RUN}/samples`);
    expect(all.prompts).toEqual(['The capital of France is', 'Once upon a time', '<b>Economy</b> of']);
    expect(all).toMatchObject({ everySteps: 50, steps: [50, 100] });
    const one = await json(`${RUN}/samples?prompt=1&from=100`);
    expect(one.samples).toMatchObject([{ step: 100, prompt: 1, promptText: 'Once upon a time' }]);
  });
});

describe('logs', () => {
  const line = (level: number, msg: string, fields = {}): string =>
    `${JSON.stringify({ level, time: '2026-11-25T10:00:00.000Z', pid: 5001, hostname: 'h', name: 'worker', ...fields, msg })}\n`;

  it('say that there are none', async () => {
    expect(await json(`${RUN}/logs`)).toEqual({
      sources: [],
      source: null,
      lines: [],
      next: '0',
      more: false,
    });
    expect((await json(`${RUN}/logs?worker=w-1`)).error.message).toContain('there are none');
  });

  it('are read by source or worker, from a level on, and followed with a cursor', async () => {
    const path = join(logs, 'worker-0.log');
    await writeFile(
      path,
      line(20, 'quiet') + line(30, 'hello', { step: 3, peer: 'x' }) + line(40, 'careful'),
    );
    await writeFile(join(logs, 'coordinator-0.log'), line(30, 'leads', { pid: 4711 }));
    await mkdir(join(logs, 'old.log'));
    const worker = run.status().members[0]?.id ?? '';
    const page = await json(`${RUN}/logs?worker=${worker}`);
    expect(page.sources.map(({ name }: { name: string }) => name)).toEqual(['coordinator-0', 'worker-0']);
    expect(page).toMatchObject({ source: 'worker-0', more: false });
    expect(page.lines).toMatchObject([
      { level: 'info', text: 'hello', step: 3, fields: { peer: 'x' } },
      { level: 'warn', text: 'careful' },
    ]);
    expect(page.lines[0].wallMs).toBe(Date.parse('2026-11-25T10:00:00Z'));
    await appendFile(path, `Segmentation fault\n${line(50, 'bad')}${line(30, 'half').slice(0, -9)}`);
    const more = await json(`${RUN}/logs?worker=worker-0&level=error&after=${page.next}`);
    expect(more.lines).toMatchObject([
      { level: null, text: 'Segmentation fault' },
      { level: 'error', text: 'bad' },
    ]);
    await appendFile(path, line(30, 'half').slice(-9));
    const last = await json(`${RUN}/logs?worker=worker-0&after=${more.next}`);
    expect(last.lines).toMatchObject([{ text: 'half' }]);
  });

  it('come in pages that follow on each other without a gap, and begin anew when a file was replaced', async () => {
    const path = join(logs, 'up.log');
    await writeFile(path, Array.from({ length: 25 }, (_, i) => line(30, `line ${i}`)).join(''));
    const seen: string[] = [];
    for (let after = '0', more = true; more;) {
      const page = await json(`${RUN}/logs?after=${after}&limit=10`);
      seen.push(...page.lines.map(({ text }: { text: string }) => text));
      ({ next: after, more } = page);
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => `line ${i}`));
    await writeFile(path, line(30, 'new'));
    expect((await json(`${RUN}/logs?after=2000`)).lines).toMatchObject([{ text: 'new' }]);
  });

  it('leave no way to other files', async () => {
    for (const name of ['../run', '%2e%2e%2frun', 'up.log']) {
      expect((await json(`${RUN}/logs?worker=${name}`)).error.code).toBe('NOT_FOUND');
    }
    expect((await json(`${RUN}/logs?level=loud`)).error.message).toContain('trace');
  });
});

describe('alerts', () => {
  it('are listed, and acknowledged with the token', async () => {
    run.commit({ loss: NaN, gradNorm: 1 });
    const { alerts, rules } = await json(`${RUN}/alerts`);
    expect(alerts).toMatchObject([{ rule: 'not-finite', state: 'firing', metric: 'loss', step: 60 }]);
    expect(rules).toHaveLength(12);
    expect((await json(RUN)).alerts).toEqual({ firing: 1, unacknowledged: 1 });
    const path = `${RUN}/alerts/${alerts[0].id}/acknowledge`;
    expect((await change('POST', path, {}, null)).status).toBe(401);
    expect(run.asked).toEqual([]);
    const done = await change('POST', path, {});
    expect(((await done.json()) as { acknowledgedWallMs: number }).acknowledgedWallMs).toBeGreaterThan(0);
    expect((await json(RUN)).alerts).toEqual({ firing: 1, unacknowledged: 0 });
    expect((await change('POST', `${RUN}/alerts/none/acknowledge`, {})).status).toBe(400);
  });
});

describe('tags and notes', () => {
  it('are changed with the token, each alone, and given back as typed', async () => {
    const note = '# good <script>alert(1)</script>';
    expect((await change('PATCH', RUN, { tags: ['a'] }, null)).status).toBe(401);
    expect((await change('PATCH', RUN, { tags: [' baseline ', 'baseline', '<b>'] })).status).toBe(200);
    const changed = await change('PATCH', RUN, { note });
    expect(await changed.json()).toMatchObject({ tags: ['baseline', '<b>'], note });
    expect((await json('/api/runs')).runs[0]).toMatchObject({ tags: ['baseline', '<b>'], note });
  });

  it.each([
    [{ tags: 'a' }, 'list'],
    [{ tags: [''] }, 'characters'],
    [{ tags: Array(33).fill('a') }, 'at most 32'],
    [{ note: 7 }, 'text'],
    [{ name: 'x' }, 'can be changed, not'],
  ])('are refused as %j', async (body, hint) => {
    const response = await change('PATCH', RUN, body);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(hint);
    expect(run.notes()).toEqual({ tags: [], note: '' });
  });
});
