// What a leader cannot beat: 1 KB written to as many bare grpc-js streams, from another process, with nothing around it.
import {
  credentials,
  makeClientConstructor,
  Server,
  ServerCredentials,
  type ClientDuplexStream,
  type ServerDuplexStream,
} from '@grpc/grpc-js';

export const MESSAGE_BYTES = 1024;

const identity = (bytes: Buffer): Buffer => bytes;
const SERVICE = {
  connect: {
    path: '/cria.bench/connect',
    requestStream: true,
    responseStream: true,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
} as const;

/** Answers any message of one client by a message to every client. @returns the port */
export function startBareServer(): Promise<number> {
  const calls = new Set<ServerDuplexStream<Buffer, Buffer>>();
  const server = new Server();
  const message = Buffer.alloc(MESSAGE_BYTES, 1);
  server.addService(SERVICE, {
    connect: (call: ServerDuplexStream<Buffer, Buffer>) => {
      calls.add(call);
      call.on('data', () => {
        for (const one of calls) one.write(message);
      });
      call.on('error', () => calls.delete(call));
      call.on('cancelled', () => calls.delete(call));
      // The client knows from it that this stream is open.
      call.write(message);
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

const BareClient = makeClientConstructor(SERVICE, 'bench');

/** `count` clients with a connection each. */
export class BareClients {
  readonly #calls: Array<ClientDuplexStream<Buffer, Buffer>> = [];
  readonly #clients: Array<InstanceType<typeof BareClient>> = [];
  #left = 0;
  #allHeard: () => void = () => undefined;

  async open(port: number, count: number): Promise<void> {
    const opened = this.#round(count);
    for (let i = 0; i < count; i++) {
      const channel = { 'grpc.use_local_subchannel_pool': 1 };
      const client = new BareClient(`127.0.0.1:${port}`, credentials.createInsecure(), channel);
      const connect = client['connect'] as () => ClientDuplexStream<Buffer, Buffer>;
      const call = connect.call(client);
      call.on('data', () => this.#heard());
      call.on('error', () => undefined);
      this.#clients.push(client);
      this.#calls.push(call);
    }
    await opened;
  }

  /** One message there, one to everybody back; resolves when the last has arrived. */
  async round(): Promise<void> {
    const heard = this.#round(this.#calls.length);
    this.#calls[0]?.write(Buffer.alloc(1));
    await heard;
  }

  close(): void {
    for (const call of this.#calls) call.cancel();
    for (const client of this.#clients) client.close();
  }

  #round(count: number): Promise<void> {
    this.#left = count;
    return new Promise((resolve) => (this.#allHeard = resolve));
  }

  #heard(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#allHeard();
  }
}
