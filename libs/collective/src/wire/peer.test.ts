// The transport by itself: a real gRPC server and client, without an exchange.
import { createServer } from 'node:http2';
import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { referenceKernels } from '@cria/kernels';
import { Content } from '@cria/protocol';
import type { FetchRequest } from '@cria/protocol';
import { CriaError, systemClock } from '@cria/runtime';
import { Change } from './change.js';
import type { FrameTap, PartAnswer } from './part-source.js';
import { PeerClient } from './peer-client.js';
import { PeerServer } from './peer-server.js';
import { CHUNK_BYTES, FLOW_CONTROL_WINDOW_BYTES } from './peer-service.js';

const closing: Array<() => void | Promise<void>> = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const BYTES = Uint8Array.from({ length: 5 * CHUNK_BYTES + 77 }, (_, i) => (i * 31) >> 3);
const PART: PartAnswer = { kind: 'part', bytes: BYTES, digest: 12n, position: 3, slots: [4] };
const REQUEST: FetchRequest = {
  ...{ runId: 'r', to: 'w1', term: { number: 1, leader: 'c' }, step: 3, attempt: 1 },
  ...{ content: Content.CONTENT_ACC, part: 2, offset: 0, from: 'w0' },
};

interface Started {
  readonly server: PeerServer;
  readonly change: Change;
  readonly requests: FetchRequest[];
  pull(more?: {
    token?: string;
    maxBytes?: number;
    stallMs?: number;
    signal?: AbortSignal;
  }): Promise<Uint8Array>;
}

async function start(
  answer: (request: FetchRequest) => PartAnswer,
  options: { token?: string; tap?: FrameTap } = {},
): Promise<Started> {
  const change = new Change();
  const requests: FetchRequest[] = [];
  const source = {
    changed: () => change.next(),
    answer: (request: FetchRequest) => {
      requests.push(request);
      return answer(request);
    },
  };
  const ports = { kernels: referenceKernels, clock: systemClock };
  const server = new PeerServer({ ...ports, source, ...options });
  closing.push(() => server.stop());
  const address = await server.start({ host: '127.0.0.1', port: 0 });
  return {
    ...{ server, change, requests },
    async pull({ token, maxBytes = 1 << 26, stallMs = 15_000, signal = new AbortController().signal } = {}) {
      const client = new PeerClient({ ...ports, ...(token === undefined ? {} : { token }) });
      closing.push(() => client.close());
      return (await client.pullPart(REQUEST, { address, stallMs, maxBytes, signal })).bytes;
    },
  };
}

const hasCode = (code: string) => (error: unknown) => CriaError.is(error) && error.code === code;

describe('pulling a part', () => {
  it('brings its bytes, however many chunks they are', async () => {
    const { pull, server } = await start(() => PART);
    expect(Buffer.compare(await pull(), BYTES)).toBe(0);
    expect(server.bytesSent).toBeGreaterThan(BYTES.length);
    const empty = await start(() => ({ ...PART, bytes: new Uint8Array(0) }) as PartAnswer);
    expect((await empty.pull()).length).toBe(0);
  });

  it('goes on at its offset when the stream breaks', async () => {
    let frames = 0;
    const tap = (): void => {
      if (++frames === 4) throw new Error('cut');
    };
    const { pull, requests, server } = await start(() => PART, { tap });
    expect(Buffer.compare(await pull(), BYTES)).toBe(0);
    expect(requests.map(({ offset }) => offset)).toEqual([0, 2 * CHUNK_BYTES]);
    expect(server.bytesSent).toBeLessThan(1.5 * BYTES.length);
  });

  it('begins anew when the part became another one meanwhile', async () => {
    let frames = 0;
    const tap = (): void => {
      if (++frames === 3) throw new Error('cut');
    };
    const other = BYTES.map((byte) => byte ^ 255);
    const { pull, requests } = await start(
      () => (requests.length === 1 ? PART : ({ ...PART, bytes: other, digest: 13n } as PartAnswer)),
      { tap },
    );
    expect(Buffer.compare(await pull(), other)).toBe(0);
  });

  it('waits without a word for what is not known yet, and asks again', async () => {
    let isKnown = false;
    const { pull, requests } = await start(() => (isKnown ? PART : { kind: 'not-yet', reason: 'unknown' }));
    const pulled = pull({ stallMs: 400 });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    isKnown = true;
    expect((await pulled).length).toBe(BYTES.length);
    expect(requests.length).toBeLessThan(30);
  });

  it('is answered at once when what it waits for is there', async () => {
    let isReady = false;
    const { pull, change } = await start(() => (isReady ? PART : { kind: 'wait' }));
    const pulled = pull();
    await new Promise((resolve) => setTimeout(resolve, 100));
    isReady = true;
    change.notify();
    expect((await pulled).length).toBe(BYTES.length);
  });

  it('fails with the reason when it is refused', async () => {
    const { pull } = await start(() => ({ kind: 'refused', reason: 'this is run x' }));
    await expect(pull()).rejects.toSatisfy(hasCode('PROTOCOL_VIOLATION'));
    await expect(pull()).rejects.toThrow(/this is run x/);
    const late = await start(() => ({ kind: 'stale', reason: 'attempt 3 is over' }));
    await expect(late.pull()).rejects.toSatisfy(hasCode('TERM_STALE'));
  });

  it('takes no memory for more than is possible', async () => {
    const { pull } = await start(() => PART);
    await expect(pull({ maxBytes: 1000 })).rejects.toSatisfy(hasCode('PEER_DAMAGED'));
  });

  it('names a peer that stops sending', async () => {
    const { pull } = await start(() => PART, { tap: () => new Promise<void>(() => undefined) });
    await expect(pull({ stallMs: 200 })).rejects.toSatisfy(hasCode('PEER_UNREACHABLE'));
  });

  it('ends when its signal aborts', async () => {
    const { pull } = await start(() => ({ kind: 'wait' }));
    const abort = new AbortController();
    const pulled = pull({ signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(pulled).rejects.toThrow('enough');
  });

  it('wants the token where there is one', async () => {
    const { pull } = await start(() => PART, { token: 'secret' });
    await expect(pull()).rejects.toSatisfy(hasCode('CONFIG_INVALID'));
    await expect(pull({ token: 'guess' })).rejects.toThrow(/token/);
    expect((await pull({ token: 'secret' })).length).toBe(BYTES.length);
  });
});

describe('the server', () => {
  it('ends streams on demand and serves again after', async () => {
    let slow = true;
    const tap = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, slow ? 50 : 0));
    const { pull, server, requests } = await start(() => PART, { tap });
    const pulled = pull();
    while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.endStreams(({ content }) => content === Content.CONTENT_ACC, 'the accumulator changes');
    const sent = server.bytesSent;
    slow = false;
    expect(sent).toBeLessThan(BYTES.length);
    expect(Buffer.compare(await pulled, BYTES)).toBe(0);
    expect(requests.length).toBe(2);
  });

  it('names the port that is in use', async () => {
    const first = await start(() => PART);
    expect(first.requests).toEqual([]);
    const taken = new PeerServer({
      ...{ kernels: referenceKernels, clock: systemClock },
      source: { answer: () => PART, changed: () => new Change().next() },
    });
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    closing.push(() => void holder.close());
    const { port } = holder.address() as AddressInfo;
    await expect(taken.start({ host: '127.0.0.1', port })).rejects.toSatisfy(hasCode('PORT_IN_USE'));
  });
});

describe('the flow-control window', () => {
  it('is really in force: a client grants 8 MiB per stream and per connection', async () => {
    const server: Http2Server = createServer();
    const granted = new Promise<{ stream: number; connection: number }>((resolve) => {
      server.on('stream', (stream) => {
        const session = stream.session as ServerHttp2Session;
        const report = (): void =>
          resolve({
            stream: session.remoteSettings.initialWindowSize ?? 0,
            connection: session.state.remoteWindowSize ?? 0,
          });
        setTimeout(report, 200);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => void server.close());
    const client = new PeerClient({ kernels: referenceKernels, clock: systemClock });
    const abort = new AbortController();
    closing.push(() => client.close());
    const { port } = server.address() as AddressInfo;
    const options = { address: `127.0.0.1:${port}`, stallMs: 5000, maxBytes: 1, signal: abort.signal };
    const pulled = client.pullPart(REQUEST, options);
    const { stream, connection } = await granted;
    abort.abort(new Error('measured'));
    await expect(pulled).rejects.toThrow('measured');
    expect(stream).toBe(FLOW_CONTROL_WINDOW_BYTES);
    expect(connection).toBeGreaterThanOrEqual(FLOW_CONTROL_WINDOW_BYTES);
  });
});
