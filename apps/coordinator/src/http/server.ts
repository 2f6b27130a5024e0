// The HTTP side of a coordinator: API, live stream, Prometheus, dashboard, on one port.
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { CriaError, systemCode } from '@cria/runtime';
import { createApp } from './app.js';
import type { AppOptions } from './app.js';

const STOP_GRACE_MS = 1_000;

export interface HttpServerOptions extends AppOptions {
  /** 0 = any free port. */
  readonly port: number;
}

export interface HttpServer {
  /** `http://127.0.0.1:8080`, as one would open it here. */
  readonly address: string;
  readonly port: number;
  /** Ends live streams, lets answers under way finish for a second, and closes the port. */
  stop(): Promise<void>;
}

/**
 * Listens until `stop`.
 *
 * @throws PORT_IN_USE naming the flag that chooses another; CONFIG_INVALID for a host that is not this machine's
 */
export async function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port, clock } = options;
  const app = createApp(options);
  const listener = getRequestListener(app.fetch);
  const server = createServer((request, response) => void listener(request, response));
  await listen(server, host, port);
  const bound = server.address() as AddressInfo;
  return {
    address: `http://${displayHost(host)}:${bound.port}`,
    port: bound.port,
    stop: () =>
      new Promise((resolve) => {
        const timer = clock.timer(STOP_GRACE_MS, () => server.closeAllConnections());
        server.close(() => {
          timer.cancel();
          resolve();
        });
        app.endStreams();
        server.closeIdleConnections();
      }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, host, port)));
    server.listen({ host, port }, resolve);
  });
}

function explain(error: unknown, host: string, port: number): CriaError {
  const code = systemCode(error);
  if (code === 'EADDRINUSE') {
    const message = `port ${port} on ${host} is in use: choose another with --http-port (0 takes any free one)`;
    return new CriaError('PORT_IN_USE', message, { context: { port }, cause: error });
  }
  if (code === 'EACCES') {
    const message = `port ${port} needs rights that this process lacks: choose one above 1023 with --http-port`;
    return new CriaError('CONFIG_INVALID', message, { context: { port }, cause: error });
  }
  const message = `cannot listen on ${host}: is it an address of this machine (--listen)?`;
  return new CriaError('CONFIG_INVALID', message, { context: { host }, cause: error });
}

function displayHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
