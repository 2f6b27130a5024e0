// `cria up`: everything of a run on this machine. This file is the order of things; what is started again when is
// decided in decide/supervise.ts, how the run goes is read from its directory (run-watch.ts).
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { RunFile, RunOutcome } from '@cria/coordinator';
import { ConsoleReporter } from '@cria/metrics';
import type { RunConfig } from '@cria/protocol';
import { CriaError, ResourceStack, createLog, sleep, systemClock, systemCode } from '@cria/runtime';
import { baseOf } from '../run/find-run.js';
import { chooseOutDir, makeOutDir, refusalOf } from '../run/out-dir.js';
import { fetchStatus } from '../run/run-client.js';
import { childFailure } from './child-failure.js';
import { DiskWatch } from './disk-watch.js';
import { expectIdle } from './expect-idle.js';
import { Family } from './family.js';
import { expectFreePort } from './free-port.js';
import { checkRedis, expectRedisServer } from './redis-server.js';
import {
  checkData,
  expectSameMathematics,
  probeEngine,
  withResolvedEngine,
  writeConfig,
} from './resolve-run.js';
import { RunWatch, type News } from './run-watch.js';
import { Sampler } from '../samples/sampler.js';
import { Supervisor } from './supervisor.js';
import { Watchdog } from './watchdog.js';

export interface UpRequest {
  /** May still say `auto`. */
  readonly config: RunConfig;
  /** null = the default directory of the run's name. */
  readonly out: string | null;
  readonly resume: boolean;
  readonly stopAfterSteps: number | null;
  readonly coordinators: number;
  readonly device: string;
  /** Per worker; null = the machine's cores shared out. */
  readonly threads: number | null;
  /** 0 = any free port. */
  readonly httpPort: number;
  readonly stay: boolean;
  /** null = an own redis-server. */
  readonly redisUrl: string | null;
  /** Where people read: stdout, or stderr under `--json`. */
  readonly stream: NodeJS.WriteStream;
  /** Who runs the children; tests put a stand-in here. */
  readonly script?: string;
  /** Called when the run has ended, before `stay` waits. */
  readonly onEnd?: (end: UpEnd) => Promise<void>;
}

export interface UpEnd {
  readonly outDir: string;
  readonly outcome: RunOutcome;
}

const POLL_MS = 200;
const LOOPBACK = '127.0.0.1';

/**
 * Trains until the run has ended; with `stay`, the dashboard is served until the signal aborts.
 *
 * @returns how it ended; null when the signal ended it first (nothing is left running then either)
 * @throws CriaError RUN_FAILED with the run's own sentence, or what kept it from starting
 */
export async function up(request: UpRequest, signal: AbortSignal): Promise<UpEnd | null> {
  const dataFingerprint = await checkData(request.config);
  await expectFreePort(request.httpPort, LOOPBACK);
  if (request.redisUrl === null) expectRedisServer();
  else await checkRedis(request.redisUrl, quietServices());
  const outDir = chooseOutDir({ ...request, run: request.config.run });
  await expectIdle(outDir, systemClock, signal);
  const probe = await probeEngine(request.config, request, signal);
  const config = withResolvedEngine(request.config, probe);
  makeOutDir(outDir);
  if (request.resume) {
    expectSameMathematics(outDir, config, { dataFingerprint, engineFingerprint: probe.fingerprint });
  }
  const configFile = writeConfig(outDir, config);

  const log = createLog({ name: 'up', file: join(outDir, 'logs', 'up.log') });
  const watchdog = new Watchdog(log);
  const resources = new ResourceStack();
  try {
    watchdog.start();
    resources.defer('the watchdog', () => watchdog.stop());
    resources.defer("people's output", outliveFullDisk(request.stream));
    const threads = request.threads ?? threadsPerWorker(config.workers.target);
    const family = new Family({ ...request, threads, config, configFile, outDir, probe, log });
    return await new Session({ request, config, outDir, family, watchdog, log }).run(signal, resources);
  } finally {
    await resources.close();
  }
}

/** `cria up > run.log` on a disk that is full: the lines are lost, the run is not. Returns how to undo it. */
function outliveFullDisk(stream: NodeJS.WriteStream): () => void {
  const onError = (error: Error): void => {
    if (!['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')) throw error;
  };
  stream.on('error', onError);
  return () => stream.off('error', onError);
}

function quietServices(): { clock: typeof systemClock; log: ReturnType<typeof createLog> } {
  return { clock: systemClock, log: createLog({ name: 'up', level: 'error' }) };
}

function threadsPerWorker(workers: number): number {
  return Math.max(1, Math.floor(availableParallelism() / workers));
}

interface SessionParts {
  readonly request: UpRequest;
  readonly config: RunConfig;
  readonly outDir: string;
  readonly family: Family;
  readonly watchdog: Watchdog;
  readonly log: ReturnType<typeof createLog>;
}

/** A run that is over waits so long for samples of its last checkpoint. */
const LAST_SAMPLES_MS = 120_000;

/** One life of `cria up`, from the first child to the last. */
class Session {
  readonly #parts: SessionParts;
  readonly #watch: RunWatch;
  readonly #reporter: ConsoleReporter;
  readonly #supervisor: Supervisor;
  readonly #sampler: Sampler;
  readonly #disk: DiskWatch;
  readonly #over = new AbortController();
  /** HOST:PORT of the dashboard that was named last. */
  #saidAddress: string | null = null;
  /** Of the newest wish that we have followed. */
  #revision = 0;

  constructor(parts: SessionParts) {
    const { request, config, outDir, family } = parts;
    this.#parts = parts;
    this.#disk = new DiskWatch(outDir);
    this.#watch = new RunWatch(outDir, (pid) => family.isCoordinator(pid));
    this.#reporter = new ConsoleReporter({
      stream: request.stream,
      steps: config.budget.steps,
      env: process.env,
    });
    this.#sampler = new Sampler({
      ...{ config, outDir, device: request.device, clock: systemClock, log: parts.log },
      engine: family.engineKind,
      signal: this.#over.signal,
    });
    this.#supervisor = new Supervisor({
      ...parts,
      clock: systemClock,
      redis: request.redisUrl === null,
      coordinators: request.coordinators,
      workers: config.workers.target,
      launch: (place, signal) => family.launch(place, signal),
      isOver: () => hasEnded(this.#watch.runFile()),
      note: (sentence) => this.#reporter.line(`· ${sentence}`),
      explain: (place, exit) =>
        childFailure(place, exit, {
          outDir,
          logFile: family.logFile(place),
          refusal: refusalOf(outDir),
        }),
    });
  }

  async run(signal: AbortSignal, resources: ResourceStack): Promise<UpEnd | null> {
    this.#say();
    resources.defer('the children', () => this.#supervisor.stop());
    resources.defer('a sample under way', () => this.#over.abort());
    resources.defer('the progress line', () => this.#reporter.end());
    const over = new AbortController();
    const supervising = this.#supervisor.run(AbortSignal.any([signal, over.signal]));
    try {
      const file = await Promise.race([this.#untilEnd(signal), supervising.then(() => null)]);
      if (file === null) return this.#interrupted();
      const end = this.#end(file);
      await this.#lastSamples(signal);
      await this.#parts.request.onEnd?.(end);
      if (this.#parts.request.stay) await this.#stay(signal);
      return end;
    } finally {
      over.abort();
      await supervising.catch(() => undefined);
    }
  }

  #say(): void {
    const { outDir, config, family } = this.#parts;
    const { target } = config.workers;
    this.#reporter.line(
      `${config.run}: ${config.budget.steps} steps, ${target} ${target === 1 ? 'worker' : 'workers'}, ${family.engine}`,
    );
    this.#reporter.line(`directory: ${outDir}`);
  }

  /** Follows the run; resolves with its file when it has ended, null when the signal aborts. */
  async #untilEnd(signal: AbortSignal): Promise<RunFile | null> {
    while (!signal.aborted) {
      const news = this.#watch.read();
      this.#show(news);
      const diskNews = this.#disk.look();
      if (diskNews !== null) this.#reporter.line(`· ${diskNews}`);
      if (news.file !== null) {
        if (hasEnded(news.file)) return news.file;
        await this.#follow(news.file);
      }
      await sleep(systemClock, POLL_MS, signal).catch(() => undefined);
    }
    return null;
  }

  #show({ steps, events, file }: News): void {
    for (const row of steps) {
      this.#reporter.step(row);
      this.#supervisor.progress(row.step + 1);
    }
    for (const event of events) {
      this.#reporter.event(event);
      if (event.kind === 'checkpoint-written') this.#sampler.checkpointWritten(event.step);
    }
    if (file === null) return;
    this.#reporter.note(file.phase === 'paused' ? 'paused' : '');
    this.#showAddress(file);
  }

  /** Every coordinator shows the same: another address is named only when nobody serves the last one any more. */
  #showAddress({ coordinators, runId, token }: RunFile): void {
    const addresses = coordinators.map(({ httpAddress }) => httpAddress);
    const [first] = addresses;
    if (first === undefined || addresses.some((address) => address === this.#saidAddress)) return;
    this.#saidAddress = first;
    this.#reporter.line(`dashboard: ${baseOf(first)}/?run=${runId}#token=${token}`);
  }

  /** Keeps the ports of the coordinators and the number of workers as the run has them now. */
  async #follow(file: RunFile): Promise<void> {
    this.#parts.family.remember(file);
    const { target, revision } = file.desired;
    // A coordinator that has just come back writes what it was started with until it has asked around.
    if (revision < this.#revision) return;
    this.#revision = revision;
    const seated = this.#supervisor.hasSurplus(target) ? await seatedPids(file) : [];
    if (seated !== null) this.#supervisor.wanted(target, seated);
  }

  /** Of the last checkpoint; nothing else needs this machine any more. */
  async #lastSamples(signal: AbortSignal): Promise<void> {
    if (!this.#sampler.isWorking) return;
    this.#reporter.line('· the last samples are written');
    const late = new AbortController();
    const given = AbortSignal.any([signal, late.signal]);
    await Promise.race([
      this.#sampler.idle().then(() => late.abort()),
      sleep(systemClock, LAST_SAMPLES_MS, given).catch(() => undefined),
    ]);
  }

  async #stay(signal: AbortSignal): Promise<void> {
    await this.#supervisor.stop(['worker']);
    this.#reporter.line('the run has ended; the dashboard stays up until Ctrl-C');
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #interrupted(): null {
    const { outDir } = this.#parts;
    this.#reporter.line(`stopping; \`cria up --out ${outDir} --resume\` goes on from the newest checkpoint`);
    return null;
  }

  #end(file: RunFile): UpEnd {
    if (file.phase === 'failed' || file.outcome === null) {
      throw new CriaError('RUN_FAILED', file.failure ?? 'the run ended without an outcome; see its logs');
    }
    return { outDir: this.#parts.outDir, outcome: file.outcome };
  }
}

function hasEnded(file: RunFile | null): boolean {
  return file !== null && file.phase !== 'running' && file.phase !== 'paused';
}

/** Process ids of members and shadows of this machine; null when nobody answers. */
async function seatedPids(file: RunFile): Promise<number[] | null> {
  const bases = file.coordinators.map(({ httpAddress }) => baseOf(httpAddress));
  try {
    const status = await fetchStatus({ bases, token: null, outDir: null });
    return status.members.filter(({ role }) => role !== 'wait').map(({ pid }) => pid);
  } catch {
    return null;
  }
}
