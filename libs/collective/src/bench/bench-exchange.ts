// `cria bench exchange`: reduce-scatter and all-gather between processes on this machine, beside plain TCP that moves
// the same bytes between the same processes. The two alternate, so that a slow spell of the machine hits both.
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '@cria/runtime';
import { CriaError, threadEntry, withDeadline } from '@cria/runtime';
import type { FromBenchWorker, ToBenchWorker } from './messages.js';

export interface BenchExchangeOptions {
  /** Processes, each with one slot. */
  readonly workers: number;
  readonly parameters: number;
  /** Samples of each kind; the first exchange, a warm-up, is not counted. */
  readonly rounds?: number;
  readonly clock: Clock;
}

export interface BenchExchangeResult {
  readonly workers: number;
  readonly parameters: number;
  readonly kernels: string;
  /** From the order to the last worker's prepared gradient: median, and every sample. */
  readonly seconds: number;
  readonly samples: readonly number[];
  /** The same bytes over plain TCP: median, and every sample. */
  readonly tcpSeconds: number;
  readonly tcpSamples: readonly number[];
  /** Processor time that one worker (mean) took for one exchange, and for its TCP: medians. */
  readonly cpuSeconds: number;
  readonly tcpCpuSeconds: number;
  /** Bytes that one worker received (mean), per second; for TCP likewise. */
  readonly wireGBps: number;
  readonly tcpGBps: number;
  /** 4 bytes a parameter per second: comparable to the algorithm bandwidth of an f32 all-reduce. */
  readonly algorithmGBps: number;
  /** Packed bits per parameter: of one worker's sum (mean), and of the whole sum. */
  readonly bitsPerParameterSlot: number;
  readonly bitsPerParameterSum: number;
  readonly bytesReceivedPerWorker: number;
}

const STEP_DEADLINE_MS = 300_000;
const DEFAULT_ROUNDS = 5;

type Reply<Kind extends FromBenchWorker['kind']> = Extract<FromBenchWorker, { kind: Kind }>;

/**
 * Starts the processes, measures, ends them.
 *
 * @throws CHILD_FAILED when one of them fails or its result differs from the others'
 */
export async function benchExchange(options: BenchExchangeOptions): Promise<BenchExchangeResult> {
  const { workers, parameters, rounds = DEFAULT_ROUNDS, clock } = options;
  const group = new WorkerGroup(workers, clock);
  try {
    await group.started();
    const ready = await group.ask('ready', (index) => ({ kind: 'setup', index, workers, parameters }));
    const sets = ready.map(({ set }) => set);
    const ports = ready.map(({ tcpPort }) => tcpPort);
    const exchange = (attempt: number): Promise<Reply<'exchanged'>[]> =>
      group.ask('exchanged', () => ({ kind: 'exchange', attempt, sets }));
    const first = await exchange(1);
    checkAgreement(first);
    const bytesReceived = mean(first.map((reply) => reply.bytesReceived));
    const bytesPerPeer = Math.round(bytesReceived / Math.max(1, workers - 1));
    const exchanges: Sample[] = [];
    const tcps: Sample[] = [];
    for (let round = 0; round < rounds; round++) {
      exchanges.push(await sample(clock, () => exchange(2 + round)));
      tcps.push(
        await sample(clock, () => group.ask('tcp-done', () => ({ kind: 'tcp', ports, bytesPerPeer }))),
      );
    }
    const samples = exchanges.map((each) => each.seconds);
    const tcpSamples = tcps.map((each) => each.seconds);
    const took = median(samples);
    const tcpTook = median(tcpSamples);
    return {
      ...{ workers, parameters, kernels: ready[0]?.kernels ?? '' },
      ...{ seconds: took, samples, tcpSeconds: tcpTook, tcpSamples },
      cpuSeconds: median(exchanges.map((each) => each.cpuSeconds)),
      tcpCpuSeconds: median(tcps.map((each) => each.cpuSeconds)),
      ...{ wireGBps: bytesReceived / took / 1e9, tcpGBps: bytesReceived / tcpTook / 1e9 },
      algorithmGBps: (4 * parameters) / took / 1e9,
      bitsPerParameterSlot: mean(ready.map((reply) => reply.bitsPerParameter)),
      bitsPerParameterSum: first[0]?.bitsPerParameter ?? 0,
      bytesReceivedPerWorker: bytesReceived,
    };
  } finally {
    group.end();
  }
}

/** The worker processes; every question goes to all of them and waits for all. */
class WorkerGroup {
  readonly #clock: Clock;
  readonly #children: ChildProcess[];
  readonly #inboxes: Array<(message: FromBenchWorker | Error) => void> = [];

  constructor(workers: number, clock: Clock) {
    this.#clock = clock;
    const entry = fileURLToPath(threadEntry(import.meta.url, './bench-worker'));
    this.#children = Array.from({ length: workers }, () => fork(entry, { serialization: 'advanced' }));
    this.#children.forEach((child, index) => {
      child.on('message', (message: FromBenchWorker) => this.#inboxes[index]?.(message));
      child.on('error', (error) => this.#inboxes[index]?.(error));
      child.on('exit', (code) => this.#inboxes[index]?.(new Error(`it ended with code ${code}`)));
    });
  }

  async started(): Promise<void> {
    await this.#all((index) => this.#reply(index, 'started'));
  }

  ask<Kind extends FromBenchWorker['kind']>(
    kind: Kind,
    message: (index: number) => ToBenchWorker,
  ): Promise<Reply<Kind>[]> {
    return this.#all((index) => {
      const reply = this.#reply(index, kind);
      this.#children[index]?.send(message(index));
      return reply;
    });
  }

  end(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #all<T>(act: (index: number) => Promise<T>): Promise<T[]> {
    const all = Promise.all(this.#children.map((_, index) => act(index)));
    return withDeadline(this.#clock, all, { timeoutMs: STEP_DEADLINE_MS, what: 'a round of the benchmark' });
  }

  #reply<Kind extends FromBenchWorker['kind']>(index: number, kind: Kind): Promise<Reply<Kind>> {
    return new Promise((resolve, reject) => {
      this.#inboxes[index] = (message) => {
        if (!(message instanceof Error) && message.kind === kind) return resolve(message as Reply<Kind>);
        const why = message instanceof Error ? message.message : JSON.stringify(message);
        reject(new CriaError('CHILD_FAILED', `worker ${index} of the benchmark failed: ${why}`));
      };
    });
  }
}

function checkAgreement(replies: readonly Reply<'exchanged'>[]): void {
  const digests = new Set(replies.map(({ gradDigest }) => gradDigest));
  if (digests.size === 1) return;
  throw new CriaError('CHILD_FAILED', `workers have different sums: ${[...digests].join(', ')}`);
}

interface Sample {
  readonly seconds: number;
  /** Of one worker, mean. */
  readonly cpuSeconds: number;
}

async function sample(clock: Clock, act: () => Promise<readonly { cpuSeconds: number }[]>): Promise<Sample> {
  const startMs = clock.monotonicMs();
  const replies = await act();
  const seconds = (clock.monotonicMs() - startMs) / 1000;
  return { seconds, cpuSeconds: mean(replies.map((reply) => reply.cpuSeconds)) };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
