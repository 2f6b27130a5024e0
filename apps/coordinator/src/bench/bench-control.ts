// `cria bench control`: how long a commit takes with so many workers. Real gRPC, a real Redis, one real coordinator
// process; the workers are clients in this process. Rounds of bare streams between the same two processes alternate with
// the commits, so that a slow spell of the machine hits both.
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from '@cria/data';
import { parameterLayout } from '@cria/model/config';
import { validateRunConfig, type RunConfig } from '@cria/protocol';
import { startLocalRedis } from '@cria/queue';
import {
  CriaError,
  ResourceStack,
  sleep,
  threadEntry,
  withDeadline,
  type Clock,
  type Log,
} from '@cria/runtime';
import { readRunFile } from '../cluster/run-file.js';
import { partsOf } from '../prepare-run.js';
import { BareClients } from './bare-streams.js';
import { SimulatedWorker } from './simulated-worker.js';

export interface BenchControlOptions {
  readonly workers: number;
  /** Commits that count; the first ones, a warm-up, do not. */
  readonly commits: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export interface BenchControlResult {
  readonly workers: number;
  readonly commits: number;
  /** From the last Prepare to the last worker's Commit, as the workers see it. */
  readonly commitMs: Percentiles;
  /** One message there and 1 KB to every bare stream. */
  readonly bareMs: Percentiles;
}

const WARM_UP = 3;
const HEARTBEAT_MS = 500;
const DEADLINE_MS = 120_000;
const FINGERPRINT = 'bench';
/** The other Prepares have arrived when the last one is sent. */
const SETTLE_MS = 20;

/** @throws ENVIRONMENT_MISSING without redis-server, CHILD_FAILED or DEADLINE_EXCEEDED when the cluster does not work */
export async function benchControl(options: BenchControlOptions): Promise<BenchControlResult> {
  const resources = new ResourceStack();
  try {
    const dir = await mkdtemp(join(tmpdir(), 'cria-bench-'));
    resources.defer('the folder', () => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
    const { clock, log } = options;
    const redis = await startLocalRedis({ dir: join(dir, 'redis'), clock, log });
    resources.defer('redis', () => redis.stop());
    const cluster = await startCluster({ options, dir, redisUrl: redis.url, resources });
    return await measure(options, cluster);
  } finally {
    await resources.close();
  }
}

interface Cluster {
  readonly rounds: CommitRounds;
  readonly bare: BareClients;
}

async function startCluster(parts: {
  options: BenchControlOptions;
  dir: string;
  redisUrl: string;
  resources: ResourceStack;
}): Promise<Cluster> {
  const { options, dir, redisUrl, resources } = parts;
  const { workers, clock } = options;
  const config = await benchConfig(dir, workers);
  const outDir = join(dir, 'run');
  const child = fork(fileURLToPath(threadEntry(import.meta.url, './bench-child')), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, CRIA_LOG_LEVEL: 'error' },
  });
  resources.defer('the coordinator', () => void child.kill('SIGKILL'));
  const barePort = askPort(child);
  child.send({
    ...{ config, redisUrl, outDir, engineFingerprint: FINGERPRINT, resume: false, restarted: false },
    ...{
      stopAfterSteps: null,
      listenHost: '127.0.0.1',
      grpcPort: 0,
      httpPort: 0,
      advertise: null,
      stay: false,
    },
  });
  const within = { timeoutMs: DEADLINE_MS, what: 'starting the coordinator' };
  const bare = new BareClients();
  await bare.open(await withDeadline(clock, barePort, within), workers);
  resources.defer('bare streams', () => bare.close());
  const rounds = new CommitRounds(options, config);
  await rounds.open(await leaderOf(outDir, clock));
  resources.defer('the workers', () => rounds.close());
  return { rounds, bare };
}

async function measure(options: BenchControlOptions, { rounds, bare }: Cluster): Promise<BenchControlResult> {
  const { workers, commits, clock } = options;
  const commitMs: number[] = [];
  const bareMs: number[] = [];
  for (let round = 0; round < commits + WARM_UP; round++) {
    const commit = await withDeadline(clock, rounds.commit(), { timeoutMs: DEADLINE_MS, what: 'a commit' });
    const beganMs = clock.monotonicMs();
    await withDeadline(clock, bare.round(), { timeoutMs: DEADLINE_MS, what: 'a round of bare streams' });
    if (round < WARM_UP) continue;
    commitMs.push(commit);
    bareMs.push(clock.monotonicMs() - beganMs);
  }
  return { workers, commits, commitMs: percentiles(commitMs), bareMs: percentiles(bareMs) };
}

/** The simulated workers, and the rhythm of their commits. */
class CommitRounds {
  readonly #options: BenchControlOptions;
  readonly #config: RunConfig;
  #workers: SimulatedWorker[] = [];
  #reduced = new Set<SimulatedWorker>();
  #committed = 0;
  #changed: () => void = () => undefined;
  #failure: CriaError | null = null;
  #closed = false;

  constructor(options: BenchControlOptions, config: RunConfig) {
    this.#options = options;
    this.#config = config;
  }

  async open(at: { address: string; runId: string; genesis: string }): Promise<void> {
    const { workers } = this.#options;
    const run = { runId: at.runId, genesis: at.genesis, fingerprint: FINGERPRINT };
    const numParts = partsOf(parameterLayout(this.#config.model));
    this.#workers = Array.from(
      { length: workers },
      (_, i) =>
        new SimulatedWorker({
          ...{ id: `worker-${i}`, leader: at.address, run, slots: workers, numParts },
          onReduced: (worker) => {
            this.#reduced.add(worker);
            this.#changed();
          },
          onCommit: () => {
            this.#committed += 1;
            this.#changed();
          },
          onLost: (why) => {
            this.#failure ??= new CriaError('PEER_UNREACHABLE', why);
            this.#changed();
          },
        }),
    );
    this.#heartbeat();
  }

  /** One step; resolves with the milliseconds from the last Prepare to the last Commit. */
  async commit(): Promise<number> {
    const { workers, clock } = this.#options;
    await this.#until(() => this.#reduced.size === workers);
    const all = [...this.#reduced];
    this.#reduced = new Set();
    this.#committed = 0;
    for (const worker of all.slice(1)) worker.prepare();
    await sleep(clock, SETTLE_MS + workers / 4);
    const beganMs = clock.monotonicMs();
    all[0]?.prepare();
    await this.#until(() => this.#committed === workers);
    return clock.monotonicMs() - beganMs;
  }

  close(): void {
    this.#closed = true;
    for (const worker of this.#workers) worker.close();
  }

  #heartbeat(): void {
    if (this.#closed) return;
    for (const worker of this.#workers) worker.heartbeat();
    this.#options.clock.timer(HEARTBEAT_MS, () => this.#heartbeat());
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.#failure !== null) throw this.#failure;
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }
}

/** As many slots as workers, so that every worker is in every exchange. */
async function benchConfig(dir: string, workers: number): Promise<RunConfig> {
  const text = Array.from({ length: 400 }, (_, i) => `Sentence ${i} of the bench, ${i * i} words long.`);
  const input = join(dir, 'bench.txt');
  await writeFile(input, `${text.join('\n')}\n`);
  const tokens = join(dir, 'tokens');
  await prepare({ inputs: [input], outDir: tokens, field: 'text' });
  const shape = { hiddenSize: 16, intermediateSize: 32, layers: 1, heads: 2, kvHeads: 1 };
  return validateRunConfig(
    {
      run: 'bench-control',
      model: { ...shape, vocabSize: 50304, maxPositions: 8 },
      budget: { steps: 1_000_000, sequenceLength: 8, globalBatch: workers },
      slots: workers,
      data: { train: [{ path: tokens }], validation: { fraction: 0, everySteps: 0 } },
      optimizer: { peakLr: 1e-3, minLr: 1e-4, warmupSteps: 3 },
      engine: { kind: 'native', precision: 'f32' },
      checkpoint: { everySteps: 1_000_000 },
      timeouts: { suspectMs: 60_000, startWaitMs: DEADLINE_MS },
      workers: { target: workers, min: workers },
    },
    'the bench',
  );
}

function askPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('message', (message: { barePort: number }) => resolve(message.barePort));
    child.once('exit', (code) =>
      reject(new CriaError('CHILD_FAILED', `the bench's coordinator ended (exit code ${code})`)),
    );
  });
}

async function leaderOf(
  outDir: string,
  clock: Clock,
): Promise<{ address: string; runId: string; genesis: string }> {
  const deadlineMs = clock.monotonicMs() + DEADLINE_MS;
  while (clock.monotonicMs() < deadlineMs) {
    const file = readRunFile(outDir);
    const [leader] = file?.coordinators ?? [];
    if (file !== null && leader !== undefined)
      return { address: leader.grpcAddress, runId: file.runId, genesis: file.genesis };
    await sleep(clock, 50);
  }
  throw new CriaError('DEADLINE_EXCEEDED', 'the bench’s coordinator does not lead');
}

function percentiles(values: readonly number[]): Percentiles {
  const ascending = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
