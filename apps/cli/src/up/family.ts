// How each child of `cria up` is started: its arguments, its log, its ports.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunFile } from '@cria/coordinator';
import type { RunConfig } from '@cria/protocol';
import { present, systemClock, unreachable, withDeadline, type Log } from '@cria/runtime';
import type { Place } from '../decide/supervise.js';
import type { EngineProbe } from '../engine/probe.js';
import { RUN_FILE } from '../run/run-file.js';
import { startChild, type Child } from './child.js';
import { startRedisChild } from './redis-server.js';

export interface FamilyOptions {
  readonly config: RunConfig;
  readonly configFile: string;
  readonly outDir: string;
  readonly resume: boolean;
  readonly stopAfterSteps: number | null;
  readonly device: string;
  readonly threads: number;
  readonly httpPort: number;
  readonly stay: boolean;
  readonly redisUrl: string | null;
  readonly probe: EngineProbe;
  readonly log: Log;
  readonly script?: string;
}

interface Ports {
  readonly grpc: number;
  readonly http: number;
}

const REDIS_START_MS = 30_000;

export class Family {
  readonly #options: FamilyOptions;
  /** Every coordinator process we ever started, by the place it filled. */
  readonly #coordinators = new Map<number, string>();
  /** A coordinator comes back on the ports that browsers and workers know. */
  readonly #ports = new Map<string, Ports>();
  readonly #redisUrl: Promise<string>;
  #redisIsUp: (url: string) => void = () => undefined;
  #redisPort: number | null = null;

  constructor(options: FamilyOptions) {
    this.#options = options;
    this.#redisUrl =
      options.redisUrl === null
        ? new Promise((resolve) => (this.#redisIsUp = resolve))
        : Promise.resolve(options.redisUrl);
  }

  /** For people: which engine the workers have. */
  get engine(): string {
    return this.#options.probe.description;
  }

  get engineKind(): string {
    return this.#options.probe.kind;
  }

  isCoordinator(pid: number): boolean {
    return this.#coordinators.has(pid);
  }

  logFile(place: Place): string {
    return join(this.#options.outDir, 'logs', `${place.id}.log`);
  }

  /** Keeps the coordinators' ports, for their next lives. */
  remember(file: RunFile): void {
    for (const { pid, grpcAddress, httpAddress } of file.coordinators) {
      const place = this.#coordinators.get(pid);
      if (place === undefined) continue;
      this.#ports.set(place, { grpc: portOf(grpcAddress), http: portOf(httpAddress) });
    }
  }

  async launch(place: Place, signal: AbortSignal): Promise<Child> {
    switch (place.role) {
      case 'redis':
        return this.#launchRedis();
      case 'coordinator':
        return this.#launchCoordinator(place, await this.#redis(signal));
      case 'worker':
        return this.#start(place, this.#workerArguments(await this.#redis(signal)));
      default:
        return unreachable(place.role);
    }
  }

  async #launchRedis(): Promise<Child> {
    const { outDir, log } = this.#options;
    const redis = await startRedisChild({ outDir, port: this.#redisPort, clock: systemClock, log });
    this.#redisPort = redis.port;
    this.#redisIsUp(redis.url);
    return redis;
  }

  async #launchCoordinator(place: Place, redisUrl: string): Promise<Child> {
    const child = await this.#start(place, this.#coordinatorArguments(place, redisUrl));
    this.#coordinators.set(child.pid, place.id);
    return child;
  }

  #start(place: Place, args: readonly string[]): Promise<Child> {
    const { script } = this.#options;
    const common = { args, logFile: this.logFile(place), clock: systemClock };
    return startChild(script === undefined ? common : { ...common, script });
  }

  #coordinatorArguments(place: Place, redisUrl: string): string[] {
    const { configFile, outDir, probe, stopAfterSteps, stay, resume } = this.#options;
    const ports = this.#ports.get(place.id) ?? { grpc: 0, http: this.#firstHttpPort(place) };
    return [
      'coordinator',
      ...['--config', configFile, '--out', outDir, '--redis', redisUrl],
      ...['--engine-fingerprint', probe.fingerprint],
      ...['--grpc-port', String(ports.grpc), '--http-port', String(ports.http)],
      ...(stopAfterSteps === null ? [] : ['--steps', String(stopAfterSteps)]),
      // A coordinator that died left run.json: the next one goes on with that run.
      ...(resume || existsSync(join(outDir, RUN_FILE)) ? ['--resume'] : []),
      ...(this.#ports.has(place.id) ? ['--restarted'] : []),
      ...(stay ? ['--stay'] : []),
    ];
  }

  #firstHttpPort(place: Place): number {
    return place.id === 'coordinator-0' ? this.#options.httpPort : 0;
  }

  #workerArguments(redisUrl: string): string[] {
    const { config, probe, device, threads } = this.#options;
    return [
      'worker',
      ...['--redis', redisUrl, '--run', config.run],
      ...['--engine', probe.kind, '--device', device, '--threads', String(threads)],
    ];
  }

  #redis(signal: AbortSignal): Promise<string> {
    const what = 'starting redis-server';
    return withDeadline(systemClock, this.#redisUrl, { timeoutMs: REDIS_START_MS, what, signal });
  }
}

function portOf(address: string): number {
  return Number(present(address.split(':').at(-1), 'the port of an address'));
}
