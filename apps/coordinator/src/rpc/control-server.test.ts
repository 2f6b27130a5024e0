import { ControlClient, PROTOCOL_VERSION, type FromLeader, type Hello } from '@cria/protocol';
import { silentLog } from '@cria/runtime';
import { credentials } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { ControlServer } from './control-server.js';

let stop: () => void = () => undefined;
afterEach(() => stop());

const HELLO: Hello = {
  ...{ protocolVersion: PROTOCOL_VERSION, runId: 'run', genesis: 'genesis', fingerprint: 'engine' },
  ...{
    worker: 'worker-1',
    address: '127.0.0.1:1',
    device: 'cpu',
    host: 'there',
    pid: 1,
    threads: 1,
    version: '',
    seat: '',
  },
  ...{ position: 0, empty: true, mathHash: 'genesis', stateDigest: '', has: [], running: [], spares: [] },
  ...{ reduced: undefined, newestVoid: undefined, highestTerm: undefined, entriesFirst: 0, entriesEnd: 0 },
};

/** Says Hello to a leader; what it answers, and whose messages it takes. */
async function say(hello: Hello): Promise<{ answer: FromLeader['message']; taken: string[] }> {
  const server = new ControlServer({
    ...{ host: '127.0.0.1', port: 0, log: silentLog },
    describe: () => {
      throw new Error('nobody asked');
    },
  });
  const port = await server.start();
  const client = new ControlClient(`127.0.0.1:${port}`, credentials.createInsecure());
  stop = () => {
    client.close();
    server.stop();
  };
  const taken: string[] = [];
  const protoTerm = { number: 1, leader: 'c1' };
  const answer = new Promise<FromLeader['message']>((resolve, reject) => {
    server.setSink({
      protoTerm,
      connected: () => undefined,
      disconnected: () => undefined,
      message: (worker, message) => {
        taken.push(`${worker} ${message.$case}`);
        const value = { term: protoTerm, counter: 1, head: 0, checkpoint: 0, coordinators: [] };
        server.link(worker)?.send({ $case: 'heartbeat', value });
      },
    });
    const call = client.connect();
    call.on('data', ({ message }: FromLeader) => resolve(message));
    call.on('error', reject);
    call.on('end', () => reject(new Error('the stream ended without a word')));
    call.write({ message: { $case: 'hello', value: hello } });
  });
  return { answer: await answer, taken };
}

it('takes a worker of its own version', async () => {
  const { answer, taken } = await say(HELLO);
  expect(answer?.$case).toBe('heartbeat');
  expect(taken).toEqual(['worker-1 hello']);
});

it('sends a worker of another version away for good, with both versions in the message', async () => {
  const { answer, taken } = await say({ ...HELLO, protocolVersion: PROTOCOL_VERSION - 1 });
  expect(answer).toMatchObject({ $case: 'evict', value: { mayReturn: false } });
  const { reason } = (answer as Extract<FromLeader['message'], { $case: 'evict' }>).value;
  expect(reason).toContain(`version ${PROTOCOL_VERSION} of the protocol`);
  expect(reason).toContain(`worker worker-1 on there version ${PROTOCOL_VERSION - 1}`);
  expect(taken).toEqual([]);
});
