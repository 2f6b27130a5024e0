// A redis-server of our own for `cria up`, on loopback, with an append-only file: a process that is killed loses
// nothing it acknowledged, because Redis writes to the file before it replies (only the fsync waits up to 1 s).
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CriaError, sleep, withDeadline, type Clock, type Log } from '@cria/runtime';
import { Redis } from 'ioredis';
import { findExecutable } from './find-executable.js';
import { freeLoopbackPort, isPortFree } from './free-port.js';

export interface LocalRedisOptions {
  /** Where the append-only file and redis.log go; made if missing. */
  readonly dir: string;
  /** Default: any free port. */
  readonly port?: number;
  readonly maxMemoryBytes?: number;
  /** Default: `redis-server`, looked up in PATH. */
  readonly binary?: string;
  /** How long it may take to read its files and answer. */
  readonly readyMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RedisExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface LocalRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the process has ended, however; start it again with the same dir and port. */
  readonly closed: Promise<RedisExit>;
  /** SHUTDOWN, then SIGTERM, then SIGKILL, `graceMs` (default 3000) apart. */
  stop(options?: { graceMs?: number }): Promise<void>;
}

const PORT_TRIES = 5;

/**
 * Starts redis-server and waits until it answers.
 *
 * @throws CriaError ENVIRONMENT_MISSING without the program, PORT_IN_USE for a given port that is taken,
 *   CHILD_FAILED with the end of its log when it does not come up
 */
export async function startLocalRedis(options: LocalRedisOptions): Promise<LocalRedis> {
  const binary = await findRedisServer(options.binary ?? 'redis-server');
  await mkdir(options.dir, { recursive: true });
  if (options.port !== undefined && !(await isPortFree(options.port))) throw portInUse(options.port);
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freeLoopbackPort());
    try {
      return await startOn(binary, port, options);
    } catch (error) {
      const collided = CriaError.is(error) && error.code === 'PORT_IN_USE';
      if (!collided || options.port !== undefined || attempt === PORT_TRIES) throw error;
    }
  }
}

async function startOn(binary: string, port: number, options: LocalRedisOptions): Promise<LocalRedis> {
  const { clock, log, dir } = options;
  const { command, prefix } = await diesWithParent();
  const child = spawn(command ?? binary, [...prefix(binary), ...serverArguments(port, options)], {
    stdio: 'ignore',
    // Out of the terminal's process group: on Ctrl-C the coordinator still needs it for its last words.
    detached: true,
  });
  const closed = new Promise<RedisExit>((resolve) => {
    child.once('error', () => resolve({ exitCode: null, signal: null }));
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  try {
    await waitUntilReady(child, closed, port, options);
  } catch (error) {
    child.kill('SIGKILL');
    await closed;
    throw error;
  }
  log.info({ port, pid: child.pid, dir }, 'redis-server started');
  const stop = ({ graceMs = 3000 } = {}): Promise<void> => shutDown({ child, closed, port, clock, graceMs });
  return { url: `redis://127.0.0.1:${port}`, port, pid: child.pid ?? -1, closed, stop };
}

function serverArguments(port: number, options: LocalRedisOptions): string[] {
  const settings: Record<string, string> = {
    port: String(port),
    bind: '127.0.0.1',
    dir: options.dir,
    logfile: 'redis.log',
    daemonize: 'no',
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
    maxmemory: String(options.maxMemoryBytes ?? 0),
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

/**
 * Linux ends the server with us, even when we are killed: setpriv (util-linux; BusyBox has a lesser one) sets
 * PR_SET_PDEATHSIG, then becomes the server under the same pid.
 */
async function diesWithParent(): Promise<{ command: string | null; prefix: (binary: string) => string[] }> {
  const setpriv = process.platform === 'linux' ? await findExecutable('setpriv') : null;
  const help =
    setpriv === null ? '' : await promisify(execFile)(setpriv, ['--help']).then(toStdout, () => '');
  if (!help.includes('--pdeathsig')) return { command: null, prefix: () => [] };
  return { command: setpriv, prefix: (binary) => ['--pdeathsig', 'TERM', binary] };
}

const toStdout = ({ stdout }: { stdout: string }): string => stdout;

async function findRedisServer(name: string): Promise<string> {
  const path = await findExecutable(name);
  if (path !== null) return path;
  throw new CriaError(
    'ENVIRONMENT_MISSING',
    `${name} is not installed: run \`cria setup\` or \`apt-get install redis-server\`, or name a running Redis by REDIS_URL`,
  );
}

async function waitUntilReady(
  child: ChildProcess,
  closed: Promise<RedisExit>,
  port: number,
  options: LocalRedisOptions,
): Promise<void> {
  const deadlineMs = options.clock.monotonicMs() + (options.readyMs ?? 15_000);
  let ended = false;
  void closed.then(() => (ended = true));
  for (;;) {
    if (ended) throw await startFailure(port, options.dir);
    if (await answersAs(child.pid ?? -1, port)) return;
    if (options.clock.monotonicMs() >= deadlineMs) throw await startFailure(port, options.dir);
    await sleep(options.clock, 10);
  }
}

/** Whether our own process answers there: on a stolen port another server would. */
async function answersAs(pid: number, port: number): Promise<boolean> {
  const client = oneShotClient(port);
  try {
    await client.connect();
    return (await client.info('server')).includes(`process_id:${pid}\r`) && (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

function oneShotClient(port: number): Redis {
  const options = {
    lazyConnect: true,
    retryStrategy: null,
    enableReadyCheck: false,
    disableClientInfo: true,
  };
  const client = new Redis({
    host: '127.0.0.1',
    port,
    connectTimeout: 1000,
    commandTimeout: 1000,
    ...options,
  });
  client.on('error', () => undefined);
  return client;
}

async function startFailure(port: number, dir: string): Promise<CriaError> {
  const text = await readFile(join(dir, 'redis.log'), 'utf8').catch(() => '');
  const tail = text.trimEnd().split('\n').slice(-4).join('\n');
  if (/Address already in use/.test(tail)) return portInUse(port);
  return new CriaError('CHILD_FAILED', `redis-server did not start on port ${port} in ${dir}:\n${tail}`, {
    context: { port },
  });
}

function portInUse(port: number): CriaError {
  const message = `port ${port} of 127.0.0.1 is taken: stop what listens there or choose another port for Redis`;
  return new CriaError('PORT_IN_USE', message, { context: { port } });
}

interface Shutdown {
  readonly child: ChildProcess;
  readonly closed: Promise<RedisExit>;
  readonly port: number;
  readonly clock: Clock;
  readonly graceMs: number;
}

async function shutDown({ child, closed, port, clock, graceMs }: Shutdown): Promise<void> {
  const steps: Array<() => void> = [
    () => void requestShutdown(port),
    () => void child.kill('SIGTERM'),
    () => void child.kill('SIGKILL'),
  ];
  for (const step of steps) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    step();
    const ended = withDeadline(clock, closed, { timeoutMs: graceMs, what: 'stopping redis-server' });
    if (await ended.then(() => true).catch(() => false)) return;
  }
  throw new CriaError('CHILD_FAILED', `redis-server (pid ${child.pid}) does not end`);
}

async function requestShutdown(port: number): Promise<void> {
  const client = oneShotClient(port);
  try {
    await client.connect();
    await client.shutdown('NOSAVE');
  } catch {
    // It closes the connection instead of answering; if it hangs, the signals follow.
  } finally {
    client.disconnect();
  }
}
