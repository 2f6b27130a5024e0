import { ControlService, PROTOCOL_VERSION, type DescribeReply } from '@cria/protocol';
import { silentLog, systemClock } from '@cria/runtime';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerDuplexStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { ControlLink } from './control-link.js';

const servers: Server[] = [];
const ends: AbortController[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end.abort();
  for (const server of servers.splice(0)) server.forceShutdown();
});

/** A coordinator that says where the leader is (by default: here) and takes streams or refuses them. */
async function coordinator(
  leads: boolean,
  leaderAddress: (own: string) => string = (own) => own,
): Promise<string> {
  const server = new Server();
  servers.push(server);
  let own = '';
  const reply = (): DescribeReply => ({
    ...{ protocolVersion: PROTOCOL_VERSION, runId: 'run', runName: 'run', configJson: '{}', genesis: '' },
    ...{ fingerprint: '', coordinators: [], coordinator: 'c', gridBits: 0 },
    leaderAddress: leaderAddress(own),
  });
  server.addService(ControlService, {
    describe: (_call: unknown, answer: sendUnaryData<DescribeReply>) => answer(null, reply()),
    connect: (call: ServerDuplexStream<unknown, unknown>) => {
      if (!leads) call.emit('error', { code: status.FAILED_PRECONDITION, details: 'does not lead' });
      call.on('error', () => undefined);
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  own = `127.0.0.1:${port}`;
  return own;
}

/** Resolves when a stream has stayed open for a moment. */
function linked(coordinators: readonly string[], lookUp: readonly string[] = []): Promise<'linked'> {
  const end = new AbortController();
  ends.push(end);
  return new Promise((resolve, reject) => {
    let open = 0;
    const link = new ControlLink({
      ...{ runId: 'run', coordinators, silenceMs: 5000, orphanMs: 10_000 },
      ...{ clock: systemClock, log: silentLog },
      lookUp: () => Promise.resolve(lookUp),
      onConnected: () => {
        const mine = ++open;
        systemClock.timer(300, () => void (open === mine && resolve('linked')));
      },
      onDisconnected: () => void (open += 1),
      onMessage: () => undefined,
      onWritten: () => undefined,
    });
    link.run(end.signal).catch(reject);
  });
}

describe('a worker that looks for the leader', () => {
  it('asks the next coordinator when the first one has named a leader that does not lead', async () => {
    const deaf = await coordinator(false);
    expect(await linked([deaf, await coordinator(true)])).toBe('linked');
  });

  it('asks Redis when the coordinators that it knows do not know of one', async () => {
    const lost = await coordinator(false, () => '');
    expect(await linked([lost], [await coordinator(true)])).toBe('linked');
  });
});
