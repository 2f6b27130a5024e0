// The yardstick: the same bytes between the same processes over plain TCP, nothing done with them.
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';

const CHUNK = Buffer.alloc(1 << 20, 0x5a);

/** A server on loopback that answers each connection's 8-byte request (a length) with that many bytes. */
export async function startTcpServer(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (request) => void send(socket, Number(request.readBigUInt64LE(0))));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

async function send(socket: Socket, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    if (!socket.write(CHUNK.subarray(0, Math.min(left, CHUNK.length)))) await once(socket, 'drain');
  }
  socket.end();
}

/** Pulls `bytes` bytes from a {@link startTcpServer}. */
export function pullTcp(port: number, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const request = Buffer.alloc(8);
    request.writeBigUInt64LE(BigInt(bytes));
    socket.write(request);
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.length));
    socket.on('error', reject);
    socket.on('end', () => {
      socket.destroy();
      if (received === bytes) resolve();
      else reject(new Error(`${received} of ${bytes} bytes arrived over TCP`));
    });
  });
}
