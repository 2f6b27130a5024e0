import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog, systemClock } from '@cria/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis } from './connection.js';
import { startLocalRedis, type LocalRedis } from './local-redis.js';
import { until } from './testing/redis-fixture.js';

let dir = '';
const servers: LocalRedis[] = [];
const environment = { clock: systemClock, log: silentLog };

async function start(options: { port?: number; binary?: string } = {}): Promise<LocalRedis> {
  const server = await startLocalRedis({ dir, ...environment, ...options });
  servers.push(server);
  return server;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cria-queue-'));
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await rm(dir, { recursive: true, force: true });
});

describe('startLocalRedis', () => {
  it('configures an append-only file without snapshots or eviction, on loopback alone', async () => {
    const server = await start();
    const connection = await connectRedis(server.url, environment);
    const read = async (name: string): Promise<unknown> =>
      ((await connection.call('config', (c) => c.config('GET', name))) as string[])[1];
    expect(await read('appendonly')).toBe('yes');
    expect(await read('appendfsync')).toBe('everysec');
    expect(await read('save')).toBe('');
    expect(await read('maxmemory-policy')).toBe('noeviction');
    expect(await read('bind')).toBe('127.0.0.1');
    expect(await read('dir')).toBe(dir);
    await connection.close();
  });

  it('keeps what it acknowledged through kill -9 and a restart on the same port and directory', async () => {
    const first = await start();
    const connection = await connectRedis(first.url, environment);
    await connection.call('set', (c) => c.set('k', 'v'));
    process.kill(first.pid, 'SIGKILL');
    expect(await first.closed).toEqual({ exitCode: null, signal: 'SIGKILL' });
    const second = await start({ port: first.port });
    expect(second.url).toBe(first.url);
    await until('the connection comes back', () => connection.isReady);
    expect(await connection.call('get', (c) => c.get('k'))).toBe('v');
    await connection.close();
  });

  it('ends with exit code 0 on stop, and stopping it again is harmless', async () => {
    const server = await start();
    await server.stop();
    expect(await server.closed).toEqual({ exitCode: 0, signal: null });
    await server.stop();
  });

  it('is killed by stop when it does not react', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGSTOP');
    await server.stop({ graceMs: 100 });
    expect((await server.closed).signal).toBe('SIGKILL');
  });

  it('names the remedy when redis-server is missing', async () => {
    await expect(start({ binary: 'no-such-redis-server' })).rejects.toMatchObject({
      code: 'ENVIRONMENT_MISSING',
      message: expect.stringMatching(/cria setup.*apt-get install redis-server/),
    });
  });

  it('refuses a port that somebody else listens on', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(start({ port })).rejects.toMatchObject({ code: 'PORT_IN_USE', context: { port } });
    other.close();
  });

  it('shows the end of the log when the server does not come up', async () => {
    const folder = '/proc/version/redis';
    await expect(startLocalRedis({ ...environment, dir: folder })).rejects.toThrow(/ENOTDIR|ENOENT/);
    await expect(start({ binary: '/bin/false' })).rejects.toMatchObject({ code: 'CHILD_FAILED' });
  });

  it.runIf(process.platform === 'linux')('ends when the process that started it is killed', async () => {
    const program = `
      const { startLocalRedis } = await import(${JSON.stringify(new URL('../dist/local-redis.js', import.meta.url))});
      const { systemClock, silentLog } = await import('@cria/runtime');
      const server = await startLocalRedis({ dir: ${JSON.stringify(dir)}, clock: systemClock, log: silentLog });
      console.log(server.pid);
      setInterval(() => {}, 1000);
    `;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [output] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(output.toString());
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await until('redis-server ends', () => !isAlive(pid));
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
