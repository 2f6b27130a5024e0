import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, silentLog } from '@cria/runtime';
import type { StepMetrics } from '@cria/metrics';
import { SseClient } from './fixture/sse-client.js';
import { SyntheticRun } from './fixture/synthetic-run.js';
import { LiveBuffer } from './live-buffer.js';
import { createHttpServer } from './server.js';
import type { HttpServer } from './server.js';

let run: SyntheticRun;
let server: HttpServer;
let clock: FakeClock;
const clients: SseClient[] = [];

beforeEach(async () => {
  run = new SyntheticRun({ liveCapacity: 40, steps: 1_000_000 });
  clock = new FakeClock();
  server = await createHttpServer({
    view: run,
    staticDir: '/nowhere',
    host: '127.0.0.1',
    port: 0,
    clock,
    log: silentLog,
  });
});
afterEach(async () => {
  clients.splice(0).forEach((client) => client.close());
  const stopped = server.stop();
  clock.advance(1_000);
  await stopped;
});

async function open(lastEventId: number | null = null): Promise<SseClient> {
  const client = await SseClient.open(`${server.address}/api/runs/quickstart/events`, lastEventId);
  clients.push(client);
  await client.until(({ frames }) => frames.length > 0);
  return client;
}

const stepsOf = (client: SseClient): number[] =>
  client.of('step').map((frame) => (frame.data as StepMetrics).step);
const sees = (step: number) => (client: SseClient) => stepsOf(client).includes(step);

describe('the live stream', () => {
  it('greets with the status, then tells of each step as it is committed', async () => {
    const client = await open();
    expect(client.frames[0]).toMatchObject({ event: 'hello', data: { resumed: false } });
    await client.until(({ frames }) => frames.some(({ event }) => event === 'status'));
    run.commit();
    await client.until(sees(0));
    run.commit();
    await client.until(sees(1));
    const ids = client.frames.flatMap(({ id }) => (id === null ? [] : [id]));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  it('goes on after Last-Event-ID without a gap and without a duplicate', async () => {
    const first = await open();
    for (let step = 0; step < 3; step++) run.commit();
    await first.until(sees(2));
    first.close();
    for (let step = 3; step < 8; step++) run.commit();
    const lastId = first.of('step').at(-1)?.id ?? NaN;
    const second = await open(lastId);
    await second.until(sees(7));
    run.commit();
    await second.until(sees(8));
    expect(second.frames[0]).toMatchObject({ event: 'hello', id: null, data: { resumed: true } });
    for (const { id } of second.frames) expect(id ?? Infinity).toBeGreaterThan(lastId);
    expect([...stepsOf(first), ...stepsOf(second)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('goes on at once when it was cut before anything happened', async () => {
    const first = await open();
    first.close();
    run.commit();
    const second = await open(first.lastId);
    await second.until(sees(0));
    expect(second.frames[0]).toMatchObject({ data: { resumed: true } });
  });

  it('says so when what was missed is no longer kept, or was numbered by another coordinator', async () => {
    const first = await open();
    for (let step = 0; step < 100; step++) run.commit();
    for (const lost of [first.frames[0]?.id ?? 0, 1_000_000]) {
      const second = await open(lost);
      expect(second.frames[0]).toMatchObject({ event: 'hello', data: { resumed: false } });
      expect(second.frames[0]?.id).toBe(run.buffer.range().newestSeq);
      run.commit();
      await second.until((client) => stepsOf(client).length > 0);
    }
  });

  it('names its numbering, another one after a restart', async () => {
    const before = (await open()).frames[0]?.data as { stream: string };
    const again = await createHttpServer({
      view: run,
      staticDir: '/nowhere',
      host: '127.0.0.1',
      port: 0,
      clock,
      log: silentLog,
    });
    const client = await SseClient.open(`${again.address}/api/runs/quickstart/events`);
    await client.until(({ frames }) => frames.length > 0);
    expect((client.frames[0]?.data as { stream: string }).stream).not.toBe(before.stream);
    const stopped = again.stop();
    clock.advance(1_000);
    await stopped;
    await client.until(({ closed }) => closed);
  });

  it('beats every 15 seconds so that proxies keep it open', async () => {
    const client = await open();
    await client.until(({ frames }) => frames.length === 2);
    for (const beats of [1, 2]) {
      clock.advance(15_000);
      await client.until(({ comments }) => comments === beats);
    }
  });

  it('stops following the run when the browser has gone', async () => {
    const before = clock.nextDueMs();
    const client = await open();
    expect(before).toBeNull();
    client.close();
    await eventually(() => clock.nextDueMs() === null);
  });

  it('drops a browser that does not read, and serves the others', async () => {
    const socket = connect(server.port, '127.0.0.1');
    const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.write('GET /api/runs/quickstart/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    socket.pause();
    const reader = await open();
    const text = 'x'.repeat(1 << 20);
    for (let step = 0; step < 60 && !socket.destroyed; step++) {
      run.event('waiting', text);
      run.commit();
      await reader.until(sees(step));
    }
    let received = '';
    socket.on(
      'data',
      (bytes: Buffer) => (received = received.slice(-10) + bytes.toString('latin1').slice(-10)),
    );
    socket.resume();
    await gone;
    // The last chunk of a response that ended in order is empty; this one was cut.
    expect(received).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(reader.closed).toBe(false);
  });
});

/** For what happens on the server's side of a socket: as many turns of the event loop as it takes. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe('the buffer of live messages', () => {
  it('keeps only the newest status, and tells of no gap for it', () => {
    const buffer = new LiveBuffer(10);
    for (let i = 0; i < 30; i++) buffer.status(run.status());
    buffer.step(run.commit());
    const seen: string[] = [];
    buffer.subscribe(0, ({ type, seq }) => seen.push(`${type} ${seq}`));
    expect(seen).toEqual(['status 30', 'step 31']);
    expect(buffer.range()).toEqual({ oldestSeq: 1, newestSeq: 31 });
  });

  it('moves its oldest message on when it is full', () => {
    const buffer = new LiveBuffer(3);
    for (let i = 0; i < 5; i++) buffer.step(run.commit());
    expect(buffer.range()).toEqual({ oldestSeq: 3, newestSeq: 5 });
    const seen: number[] = [];
    const stop = buffer.subscribe(3, ({ seq }) => seen.push(seq));
    buffer.step(run.commit());
    stop();
    buffer.step(run.commit());
    expect(seen).toEqual([4, 5, 6]);
  });
});
