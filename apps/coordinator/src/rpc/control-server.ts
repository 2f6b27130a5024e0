// The coordinator's control service: Describe for everybody, a control stream per worker while it leads.
import {
  versionConflict,
  type DescribeReply,
  type DescribeRequest,
  type FromWorker,
  type Hello,
  type Term,
} from '@cria/protocol';
import { CriaError, workerId, type Log, type WorkerId } from '@cria/runtime';
import { Server, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { ControlServiceEncodingOnce } from './serialize-once.js';
import { WorkerLink, type ControlCall } from './worker-link.js';

export type WorkerMessage = NonNullable<FromWorker['message']>;

/** Whoever leads takes the workers' messages. */
export interface ControlSink {
  readonly protoTerm: Term;
  connected(link: WorkerLink): void;
  message(worker: WorkerId, message: WorkerMessage): void;
  disconnected(worker: WorkerId, why: string): void;
}

export interface ControlServerOptions {
  readonly host: string;
  readonly port: number;
  readonly log: Log;
  describe(): DescribeReply;
}

/** Keepalive finds connections whose other side is gone without a word; the leader's own deadline is suspectMs. */
const SERVER_OPTIONS = {
  'grpc.max_receive_message_length': 64 << 20,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server = new Server(SERVER_OPTIONS);
  readonly #links = new Map<WorkerId, WorkerLink>();
  #sink: ControlSink | null = null;

  constructor(options: ControlServerOptions) {
    this.#options = options;
  }

  /** @returns the bound port. Throws PORT_IN_USE naming the flag. */
  async start(): Promise<number> {
    const { host, port } = this.#options;
    this.#server.addService(ControlServiceEncodingOnce, {
      describe: (
        _call: ServerUnaryCall<DescribeRequest, DescribeReply>,
        reply: sendUnaryData<DescribeReply>,
      ) => reply(null, this.#options.describe()),
      connect: (call: ControlCall) => this.#connect(call),
    });
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) return resolve(bound);
        const message = `cannot listen on ${host}:${port}; choose another port with --grpc-port (0 = any free one)`;
        reject(new CriaError('PORT_IN_USE', message, { cause: error }));
      });
    });
  }

  /** From now on messages go to `sink`; null refuses workers with the leader's address. */
  setSink(sink: ControlSink | null): void {
    this.#sink = sink;
    if (sink !== null) return;
    for (const link of this.#links.values()) link.close('this coordinator no longer leads');
    this.#links.clear();
  }

  link(worker: WorkerId): WorkerLink | null {
    return this.#links.get(worker) ?? null;
  }

  stop(): void {
    this.setSink(null);
    this.#server.forceShutdown();
  }

  #connect(call: ControlCall): void {
    const sink = this.#sink;
    if (sink === null) {
      const leader = this.#options.describe().leaderAddress;
      const details = `this coordinator does not lead; the leader is ${leader === '' ? 'not known yet' : leader}`;
      call.emit('error', { code: status.FAILED_PRECONDITION, details });
      return;
    }
    let link: WorkerLink | null = null;
    call.on('data', ({ message }: FromWorker) => {
      if (message === undefined || this.#sink !== sink) return;
      if (message.$case === 'hello') {
        if (this.#refuses(call, message.value, sink)) return;
        link = this.#register(call, message.value.worker, sink);
      }
      if (link !== null && this.#isCurrent(link)) sink.message(link.worker, message);
    });
    const gone = (why: string) => () => {
      if (link === null || !this.#isCurrent(link)) return;
      this.#links.delete(link.worker);
      if (this.#sink === sink) sink.disconnected(link.worker, why);
    };
    call.on('error', (error: Error) => gone(`its connection broke (${error.message})`)());
    call.on('cancelled', gone('its connection broke'));
    call.on('end', () => {
      gone('it closed its connection')();
      call.end();
    });
  }

  /** Whatever else a worker of another version says may mean something else than it seems to. */
  #refuses(call: ControlCall, hello: Hello, sink: ControlSink): boolean {
    const reason = versionConflict(hello.protocolVersion, `worker ${hello.worker} on ${hello.host}`);
    if (reason === null) return false;
    this.#options.log.warn({ worker: hello.worker }, reason);
    call.write({ message: { $case: 'evict', value: { term: sink.protoTerm, reason, mayReturn: false } } });
    call.end();
    return true;
  }

  /** A worker has one control stream: a new one ends the old one. */
  #register(call: ControlCall, id: string, sink: ControlSink): WorkerLink {
    const worker = workerId(id);
    const before = this.#links.get(worker);
    if (before?.uses(call) === true) return before;
    const link = new WorkerLink(worker, call, this.#options.log);
    this.#links.set(worker, link);
    before?.close('replaced by a newer stream of the same worker');
    sink.connected(link);
    return link;
  }

  #isCurrent(link: WorkerLink): boolean {
    return this.#links.get(link.worker) === link;
  }
}
