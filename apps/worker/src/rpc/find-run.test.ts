import { ControlService, PROTOCOL_VERSION, type DescribeReply, type DescribeRequest } from '@cria/protocol';
import { runId, systemClock } from '@cria/runtime';
import { Server, ServerCredentials, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { findRun } from './find-run.js';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
});

/** A coordinator of some version that answers Describe. @returns its address */
function coordinator(protocolVersion: number, run = 'run'): Promise<string> {
  const server = new Server();
  servers.push(server);
  const reply: DescribeReply = {
    ...{ protocolVersion, runId: run, runName: 'tiny', genesis: 'g', fingerprint: 'f', gridBits: 32 },
    ...{ configJson: '{}', leaderAddress: '', coordinators: [], coordinator: 'c1' },
  };
  server.addService(ControlService, {
    describe: (_call: ServerUnaryCall<DescribeRequest, DescribeReply>, send: sendUnaryData<DescribeReply>) =>
      send(null, reply),
    connect: () => undefined,
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(`127.0.0.1:${port}`) : reject(error),
    );
  });
}

const seatAt = (...addresses: string[]) => ({ addresses, runId: runId('run'), runName: 'tiny' });

it('refuses a coordinator of another version with both in the message', async () => {
  const address = await coordinator(PROTOCOL_VERSION + 1);
  await expect(findRun(seatAt(address), systemClock)).rejects.toMatchObject({
    code: 'VERSION_MISMATCH',
    message: expect.stringContaining(
      `version ${PROTOCOL_VERSION} of the protocol, the coordinator at ${address} version ${PROTOCOL_VERSION + 1}`,
    ) as string,
  });
});

it('goes on to the next coordinator when one leads another run', async () => {
  const other = await coordinator(PROTOCOL_VERSION, 'another');
  const ours = await coordinator(PROTOCOL_VERSION);
  // Its configuration is read, which is not one.
  await expect(findRun(seatAt(other, ours), systemClock)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

it('says so when no coordinator answers', async () => {
  const address = await coordinator(PROTOCOL_VERSION);
  servers.splice(0).forEach((server) => server.forceShutdown());
  await expect(findRun(seatAt(address), systemClock)).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
});
