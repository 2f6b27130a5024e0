// A TCP proxy that a test can make slow or deaf. Nothing is lost in it: what it holds back arrives when it is healed, as
// with a network that comes back.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export type Direction = 'to-target' | 'from-target';

interface Held {
  readonly socket: Socket;
  readonly bytes: Buffer;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #blocked = new Set<Direction>();
  readonly #held: Record<Direction, Held[]> = { 'to-target': [], 'from-target': [] };
  /** What is still on its way to a socket. */
  readonly #pending = new WeakMap<Socket, Promise<void>>();
  /** Every chunk, both ways, comes so much later; none overtakes another, also when this falls. */
  delayMs = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    server.on('connection', (client) => proxy.#join(client, connect(targetPort, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  block(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#blocked.add(direction);
  }

  /** Delivers what was held back, in order. */
  heal(): void {
    this.#blocked.clear();
    for (const held of Object.values(this.#held)) {
      for (const { socket, bytes } of held.splice(0)) if (!socket.destroyed) socket.write(bytes);
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket, target: Socket): void {
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.on('data', (bytes: Buffer) => this.#pass('to-target', target, bytes));
    target.on('data', (bytes: Buffer) => this.#pass('from-target', client, bytes));
    client.on('close', () => this.#part(client, target));
    target.on('close', () => this.#part(target, client));
  }

  #pass(direction: Direction, socket: Socket, bytes: Buffer): void {
    const deliver = (): void => {
      if (this.#blocked.has(direction)) this.#held[direction].push({ socket, bytes });
      else if (!socket.destroyed) socket.write(bytes);
    };
    const dueMs = performance.now() + this.delayMs;
    const before = this.#pending.get(socket) ?? Promise.resolve();
    const delivered = before.then(async () => {
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) await new Promise((resolve) => setTimeout(resolve, leftMs));
      deliver();
    });
    this.#pending.set(socket, delivered);
  }

  /** A closed end is told to the other one, unless nothing gets through. */
  #part(closed: Socket, other: Socket): void {
    this.#sockets.delete(closed);
    if (this.#blocked.size > 0) return;
    void (this.#pending.get(other) ?? Promise.resolve()).then(() => other.end());
  }
}
