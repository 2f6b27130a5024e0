// Entry of one worker process of the exchange benchmark: one slot's gradient, an exchange thread, a TCP server.
import type { MemberSet } from '@cria/protocol';
import { BLOCK_SIZE, loadKernels, PART_SIZE, partCount, partRange } from '@cria/kernels';
import { describeError, present } from '@cria/runtime';
import { DEFAULT_TIMINGS } from '../exchange/settings.js';
import type { SlotResult } from '../report/report-part.js';
import { createTrainingState } from '../state/training-state.js';
import type { SharedTrainingState } from '../state/training-state.js';
import { ExchangeThread } from '../thread/exchange-thread.js';
import { BenchGradient } from './bench-gradient.js';
import type { FromBenchWorker, ToBenchWorker } from './messages.js';
import { pullTcp, startTcpServer } from './tcp.js';

const GRID_BITS = 32;
const kernels = loadKernels();
const thread = new ExchangeThread({
  onEvent: (event) => fail(JSON.stringify(event)),
  onFailure: fail,
});
let state: SharedTrainingState | null = null;
let index = 0;

const post = (message: FromBenchWorker): void => void process.send?.(message);

function fail(error: unknown): void {
  post({ kind: 'failed', why: describeError(error) });
}

process.on('message', (message: ToBenchWorker) => {
  handle(message).then(post, fail);
});
process.on('disconnect', () => process.exit(0));
post({ kind: 'started' });

function handle(message: ToBenchWorker): Promise<FromBenchWorker> {
  switch (message.kind) {
    case 'setup':
      return setUp(message);
    case 'exchange':
      return exchange(message);
    case 'tcp':
      return pullAll(message);
  }
}

async function setUp(order: Extract<ToBenchWorker, { kind: 'setup' }>): Promise<FromBenchWorker> {
  index = order.index;
  state = createTrainingState(Math.ceil(order.parameters / BLOCK_SIZE) * BLOCK_SIZE);
  const address = await thread.start({ listen: { host: '127.0.0.1', port: 0 } });
  const workerId = `bench-${index}`;
  const settings = { runId: 'bench', workerId, slots: order.workers, gridBits: GRID_BITS, state };
  await thread.configure({ ...settings, timings: { ...DEFAULT_TIMINGS, stallMs: 30_000 } });
  const { result, bitsPerParameter } = computeSlot(state);
  await thread.slotDone(0, result);
  const { port } = await startTcpServer();
  const set: MemberSet = { worker: workerId, address, slots: [index] };
  return { kind: 'ready', set, tcpPort: port, kernels: kernels.name, bitsPerParameter };
}

/** Fills the accumulator, part by part: the gradient is never whole in memory. */
function computeSlot({ accumulator }: SharedTrainingState): {
  result: SlotResult;
  bitsPerParameter: number;
} {
  const length = accumulator.small.length;
  const digests = new BigUint64Array(partCount(length));
  const source = new BenchGradient(index);
  const gradient = new Float32Array(Math.min(PART_SIZE, length));
  let packedBytes = 0;
  for (let part = 0; part < digests.length; part++) {
    const { from, to } = partRange(part, length);
    const values = gradient.subarray(0, to - from);
    source.fill(from, values);
    kernels.accumulateGradient(accumulator, from, values, GRID_BITS, digests);
    packedBytes += kernels.packPart(accumulator, from, to).length;
  }
  const result = { slot: index, lossBits: 0, tokens: 1, flagged: false, digests };
  return { result, bitsPerParameter: (8 * packedBytes) / length };
}

async function exchange({
  attempt,
  sets,
}: Extract<ToBenchWorker, { kind: 'exchange' }>): Promise<FromBenchWorker> {
  const term = { number: 1, leader: 'bench' };
  const order = { term, attempt, step: 0, sets, from: [], isVoid: true, shadow: false };
  const before = process.cpuUsage();
  const outcome = await thread.begin(order);
  if (outcome.kind !== 'prepared') throw new Error(`${outcome.kind}: ${outcome.why}`);
  const cpuSeconds = cpuSecondsSince(before);
  const held = present(await thread.holdReduced(0), 'the reduced gradient');
  const packedBytes = held.parts.reduce((sum, part) => sum + part.length, 0);
  const { gradDigest, bytesReceived, waitMs } = outcome;
  const { length } = present(state, 'the state').params;
  return {
    kind: 'exchanged',
    ...{ gradDigest, bytesReceived, waitMs, cpuSeconds },
    bitsPerParameter: (8 * packedBytes) / length,
  };
}

async function pullAll(order: Extract<ToBenchWorker, { kind: 'tcp' }>): Promise<FromBenchWorker> {
  const others = order.ports.filter((_, i) => i !== index);
  const before = process.cpuUsage();
  await Promise.all(others.map((port) => pullTcp(port, order.bytesPerPeer)));
  return { kind: 'tcp-done', cpuSeconds: cpuSecondsSince(before) };
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
