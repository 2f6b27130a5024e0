// A worker as the leader sees it, without an engine: says Hello, answers grants and exchanges at once, applies by
// saying so. What it "computed" is the same for everybody, so every step commits.
import { ReportPart } from '@cria/collective';
import { parseLine } from '@cria/ledger';
import { ControlClient, PROTOCOL_VERSION, type FromLeader, type FromWorker } from '@cria/protocol';
import { credentials, type ClientDuplexStream } from '@grpc/grpc-js';

type LeaderMessage = NonNullable<FromLeader['message']>;
type WorkerMessage = NonNullable<FromWorker['message']>;
type Exchange = Extract<LeaderMessage, { $case: 'exchange' }>['value'];

export interface SimulatedWorkerOptions {
  readonly id: string;
  /** HOST:PORT of the leader. */
  readonly leader: string;
  readonly run: { readonly runId: string; readonly genesis: string; readonly fingerprint: string };
  readonly slots: number;
  readonly numParts: number;
  /** It has the step's sum: the bench says when Prepare is sent. */
  onReduced(worker: SimulatedWorker): void;
  onCommit(worker: SimulatedWorker): void;
  onLost(why: string): void;
}

/** A connection of its own, as a process would have. */
const CHANNEL = { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': 64 << 20 };

export class SimulatedWorker {
  readonly #options: SimulatedWorkerOptions;
  readonly #client: ControlClient;
  readonly #call: ClientDuplexStream<FromWorker, FromLeader>;
  #position = 0;
  #beats = 0;
  #exchange: Exchange | null = null;

  constructor(options: SimulatedWorkerOptions) {
    this.#options = options;
    this.#client = new ControlClient(options.leader, credentials.createInsecure(), CHANNEL);
    this.#call = this.#client.connect();
    this.#call.on('data', ({ message }: FromLeader) => {
      if (message !== undefined) this.#take(message);
    });
    this.#call.on('error', (error: Error) => options.onLost(`${options.id}: ${error.message}`));
    this.#hello();
  }

  heartbeat(): void {
    const value = { counter: ++this.#beats, position: this.#position, running: [] };
    this.#send({ $case: 'heartbeat', value });
  }

  prepare(): void {
    const { slots, numParts } = this.#options;
    if (this.#exchange === null) return;
    const { term, attempt, step } = this.#exchange;
    const value = {
      ...{ term, attempt, step, gradDigest: digestOf(step), gradNormBits: '3ff0000000000000' },
      ...{ stateDigest: digestOf(step), report: reportOf(slots, numParts), stats: undefined },
    };
    this.#send({ $case: 'prepare', value });
  }

  close(): void {
    this.#call.removeAllListeners('error');
    this.#call.on('error', () => undefined);
    this.#call.cancel();
    this.#client.close();
  }

  #take(message: LeaderMessage): void {
    switch (message.$case) {
      case 'grant':
        return this.#compute(message.value);
      case 'exchange':
        this.#exchange = message.value;
        return this.#options.onReduced(this);
      case 'commit': {
        this.#position = stepOf(message.value.entry) + 1;
        this.#options.onCommit(this);
        const value = { step: this.#position, stateDigest: digestOf(this.#position) };
        return this.#send({ $case: 'applied', value });
      }
      case 'evict':
        return this.#options.onLost(`${this.#options.id} was sent away: ${message.value.reason}`);
      default:
        return;
    }
  }

  #compute({ step, slots }: Extract<LeaderMessage, { $case: 'grant' }>['value']): void {
    const digests = Buffer.alloc(8 * this.#options.numParts);
    for (const { slot } of slots) {
      const facts = { step, slot, digests, flagged: false, lossBits: ONE_BITS, computeMs: 1, spare: false };
      this.#send({ $case: 'slotDone', value: facts });
    }
  }

  #hello(): void {
    const { id, run } = this.#options;
    const identity = { ...run, protocolVersion: PROTOCOL_VERSION, worker: id, address: '127.0.0.1:1' };
    const place = {
      device: 'simulated',
      host: 'bench',
      pid: process.pid,
      threads: 1,
      seat: '',
      version: 'bench',
    };
    const state = { position: 0, empty: false, mathHash: run.genesis, stateDigest: digestOf(0) };
    const nothing = { has: [], running: [], spares: [], entriesFirst: 0, entriesEnd: 0 };
    const none = { reduced: undefined, newestVoid: undefined, highestTerm: undefined };
    this.#send({ $case: 'hello', value: { ...identity, ...place, ...state, ...nothing, ...none } });
  }

  #send(message: WorkerMessage): void {
    this.#call.write({ message });
  }
}

/** f32 bits of 1. */
const ONE_BITS = 0x3f800000;

let lastRead = { entry: '', step: -1 };

/** Workers read a Commit each on a machine of its own; here the first one reads it for all. */
function stepOf(entry: string): number {
  if (entry !== lastRead.entry) lastRead = { entry, step: parseLine(entry, 'Commit').math.step };
  return lastRead.step;
}

function digestOf(step: number): string {
  return step.toString(16).padStart(16, '0');
}

const reports = new Map<string, Buffer>();

function reportOf(slots: number, numParts: number): Buffer {
  const key = `${slots} ${numParts}`;
  const known = reports.get(key);
  if (known !== undefined) return known;
  const report = new ReportPart(slots, numParts);
  for (let slot = 0; slot < slots; slot++) {
    const digests = new BigUint64Array(numParts);
    report.addSlot({ slot, lossBits: ONE_BITS, tokens: 1, flagged: false, digests });
  }
  const encoded = Buffer.from(report.encode());
  reports.set(key, encoded);
  return encoded;
}
