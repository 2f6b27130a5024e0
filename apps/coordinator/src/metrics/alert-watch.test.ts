import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_THRESHOLDS, type Alert, type Look } from '@cria/metrics';
import { FakeClock, silentLog } from '@cria/runtime';
import { ALERTS_FILE } from '../runs/records.js';
import { AlertWatch, type AlertWatchOptions } from './alert-watch.js';

const cleanUp: Array<() => void | Promise<unknown>> = [];

afterEach(async () => {
  for (const release of cleanUp.splice(0).reverse()) await release();
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'cria-alerts-'));
  cleanUp.push(() => rmSync(made, { recursive: true }));
  return made;
}

interface Watching {
  readonly watch: AlertWatch;
  readonly told: Alert[];
  readonly clock: FakeClock;
}

async function watching(outDir: string, webhook: AlertWatchOptions['webhook'] = null): Promise<Watching> {
  const told: Alert[] = [];
  const clock = new FakeClock();
  const watch = new AlertWatch({
    ...{ outDir, webhook, clock, log: silentLog, thresholds: DEFAULT_THRESHOLDS },
    run: { run: 'quickstart', runId: 'r-1' },
    onChange: (alert) => told.push(alert),
  });
  await watch.open();
  return { watch, told, clock };
}

/** What a look finds; the disk of 1 MB raises an alert at once. */
const look = (fields: Partial<Look> = {}): Look => ({
  ...{ wallMs: 1_700_000_000_000, phase: 'running', members: [], pausedQueues: [] },
  ...{ checkpointStep: 0, checkpointEverySteps: 50, freeBytes: 1e6 },
  ...fields,
});
const WELL = { freeBytes: 1e12 };

describe('an alert', () => {
  it('is told, remembered and written, and so is its end', async () => {
    const outDir = folder();
    const { watch, told } = await watching(outDir);
    watch.look(look());
    watch.look(look());
    expect(told).toHaveLength(1);
    expect(watch.alerts).toEqual(told);
    watch.look(look(WELL));
    watch.look(look(WELL));
    expect(told.map(({ rule, state }) => `${rule} ${state}`)).toEqual([
      'disk-low firing',
      'disk-low resolved',
    ]);
    await watch.close();
    const lines = readFileSync(join(outDir, ALERTS_FILE), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as Alert)).toEqual(told);
  });

  it('is over when another process leads, which did not see it begin', async () => {
    const outDir = folder();
    const first = await watching(outDir);
    first.watch.look(look());
    await first.watch.close();
    const second = await watching(outDir);
    expect(second.watch.alerts).toMatchObject([{ rule: 'disk-low', state: 'firing' }]);
    second.watch.begin(1_700_000_060_000);
    expect(second.watch.alerts).toMatchObject([{ state: 'resolved', endedWallMs: 1_700_000_060_000 }]);
    second.watch.look(look());
    expect(second.told.map(({ state }) => state)).toEqual(['resolved', 'firing']);
    await second.watch.close();
  });

  it('stays acknowledged, also when it ends and when it is read again', async () => {
    const outDir = folder();
    const { watch, told, clock } = await watching(outDir);
    watch.look(look());
    const { id } = told[0] as Alert;
    const wallMs = clock.wallMs();
    expect(watch.acknowledge(id)).toMatchObject({ id, acknowledgedWallMs: wallMs, state: 'firing' });
    expect(watch.acknowledge(id)).toEqual(told[1]);
    expect(told).toHaveLength(2);
    watch.look(look(WELL));
    watch.look(look(WELL));
    expect(watch.alerts).toMatchObject([{ state: 'resolved', acknowledgedWallMs: wallMs }]);
    await watch.close();
    const again = await watching(outDir);
    expect(again.watch.alerts).toEqual(watch.alerts);
    await again.watch.close();
    expect(() => watch.acknowledge('nobody')).toThrow('there is no alert nobody');
  });
});

interface Received {
  readonly bodies: unknown[];
  readonly server: Server;
  readonly url: string;
}

/** A service that takes webhooks, and answers with what `status` says. */
async function service(status: (n: number) => number = () => 200): Promise<Received> {
  const bodies: unknown[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      bodies.push(body);
      response.writeHead(status(bodies.length), { location: '/elsewhere' }).end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  return { bodies, server, url: `http://127.0.0.1:${port}/hook` };
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}

describe('a webhook', () => {
  it('is told of the beginning and of the end, in this order, and not of an acknowledgement', async () => {
    const { bodies, url } = await service();
    const { watch, told } = await watching(folder(), { url, format: 'auto' });
    watch.look(look());
    watch.acknowledge((told[0] as Alert).id);
    watch.look(look(WELL));
    watch.look(look(WELL));
    await watch.close();
    expect(bodies).toMatchObject([
      { run: 'quickstart', runId: 'r-1', alert: { rule: 'disk-low', state: 'firing' } },
      { text: expect.stringMatching(/^\[quickstart\] over: /), alert: { state: 'resolved' } },
    ]);
  });

  it.each([
    ['slack', 'text'],
    ['discord', 'content'],
  ] as const)('gets the shape of %s where the configuration says so', async (format, field) => {
    const { bodies, url } = await service();
    const { watch } = await watching(folder(), { url, format });
    watch.look(look());
    await watch.close();
    expect(bodies).toMatchObject([{ [field]: expect.stringMatching(/^\[quickstart\] error: .*disk-low/) }]);
  });

  it('that fails or sends elsewhere costs one alert, not the next one', async () => {
    const { bodies, url } = await service((n) => [500, 307][n - 1] ?? 200);
    const { watch } = await watching(folder(), { url, format: 'generic' });
    for (const freeBytes of [1e6, 1e12, 1e12, 1e6]) watch.look(look({ freeBytes }));
    await watch.close();
    expect(bodies.map((body) => (body as { alert: Alert }).alert.state)).toEqual([
      'firing',
      'resolved',
      'firing',
    ]);
  });
});
