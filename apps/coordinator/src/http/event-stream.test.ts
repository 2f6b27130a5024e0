import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, silentLog } from '@cria/runtime';
import type { RunEvent, StepMetrics } from '@cria/metrics';
import { SseClient } from './fixture/sse-client.js';
import { SyntheticRun } from './fixture/synthetic-run.js';
import { LiveHub, formatCursor, parseCursor } from './live-hub.js';
import { MOST_MISSED, missedMessages } from './missed-messages.js';
import { createHttpServer } from './server.js';
import type { HttpServer } from './server.js';

let run: SyntheticRun;
let server: HttpServer;
let clock: FakeClock;
const clients: SseClient[] = [];

beforeEach(async () => {
  run = new SyntheticRun({ steps: 1_000_000 });
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

async function open(lastEventId: string | null = null): Promise<SseClient> {
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
    expect(client.of('step').map(({ id }) => id)).toEqual(['0.0.2', '0.1.2']);
  });

  it('goes on after Last-Event-ID without a gap and without a duplicate', async () => {
    const first = await open();
    for (let step = 0; step < 3; step++) run.commit();
    await first.until(sees(2));
    first.close();
    for (let step = 3; step < 8; step++) run.commit();
    const lastId = first.of('step').at(-1)?.id ?? '';
    const second = await open(lastId);
    await second.until(sees(7));
    run.commit();
    await second.until(sees(8));
    expect(second.frames[0]).toMatchObject({ event: 'hello', id: null, data: { resumed: true } });
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

  it('says so when too much was missed, and about ids that it never gave', async () => {
    const first = await open();
    for (let step = 0; step < MOST_MISSED + 1; step++) run.commit();
    for (const lost of [first.frames[0]?.id ?? '', '1.2', 'x'.repeat(5000)]) {
      const second = await open(lost);
      expect(second.frames[0]).toMatchObject({ event: 'hello', data: { resumed: false } });
      expect(second.frames[0]?.id).toBe(run.hub.cursor());
      run.commit();
      await second.until((client) => stepsOf(client).length > 0);
    }
  });

  it('goes on from another coordinator, missing nothing and telling nothing twice, also over a resume', async () => {
    const first = await open();
    for (let step = 0; step < 5; step++) run.commit();
    run.kill(0);
    await first.until(({ frames }) => frames.some(({ event }) => event === 'event'));
    first.close();
    run.replace();
    run.commit();
    run.resumeFrom(3);
    for (let step = 3; step < 7; step++) run.commit();
    const again = await createHttpServer({
      view: run,
      staticDir: '/nowhere',
      host: '127.0.0.1',
      port: 0,
      clock,
      log: silentLog,
    });
    const second = await SseClient.open(`${again.address}/api/runs/quickstart/events`, first.lastId);
    await second.until(sees(6));
    run.commit();
    await second.until(sees(7));
    expect(second.frames[0]?.data).toEqual({ stream: run.runId, resumed: true, step: 7 });
    // Step 5 and the steps that were left behind by the resume are no longer part of the line.
    expect(stepsOf(second)).toEqual([3, 4, 5, 6, 7]);
    const seqs = [first, second].flatMap((client) =>
      client.of('event').map((frame) => (frame.data as RunEvent).seq),
    );
    expect(seqs).toEqual(
      run
        .events()
        .slice(2)
        .map(({ seq }) => seq),
    );
    const stopped = again.stop();
    clock.advance(1_000);
    await stopped;
    await second.until(({ closed }) => closed);
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

describe('a cursor', () => {
  it('is read as it was written, and nothing else is', () => {
    for (const cursor of [
      { segment: -1, step: -1, event: 7 },
      { segment: 2, step: 500_000, event: 31 },
    ]) {
      expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
    }
    for (const text of ['', '5', '1.2', '-1.0.0', '1.2.3.4', '1e3.0.0', '-.-.x', '9'.repeat(40)]) {
      expect(parseCursor(text)).toBeNull();
    }
  });

  it('counts on with every row and event, and not with the rest', () => {
    const hub = new LiveHub();
    const seen: string[] = [];
    hub.subscribe(({ type, cursor }) => seen.push(`${type} ${cursor}`));
    hub.status(run.status());
    hub.event(run.events()[0] as RunEvent);
    hub.step(run.commit());
    hub.status(run.status());
    expect(seen).toEqual(['status -.-.0', 'event -.-.1', 'step 0.0.1', 'status 0.0.1']);
  });
});

describe('what was missed', () => {
  it('comes in the order in which it happened, each with the cursor behind it', () => {
    run.commit();
    run.kill(0);
    run.commit();
    const missed = missedMessages({ segment: 0, step: 0, event: 2 }, run.metrics(), run.events()) ?? [];
    expect(missed.map(({ type, cursor }) => `${type} ${cursor}`)).toEqual(['event 0.0.3', 'step 0.1.3']);
    expect(missedMessages({ segment: 0, step: 1, event: 3 }, run.metrics(), run.events())).toEqual([]);
  });

  it('is nothing for who is ahead, as after a change to a coordinator that has not read so far', () => {
    run.commit();
    expect(missedMessages({ segment: 0, step: 9, event: 50 }, run.metrics(), run.events())).toEqual([]);
  });
});
