import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { silentLog, systemClock, type Log } from '@cria/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis, isRetryable, type RedisConnection } from './connection.js';
import { luaScript } from './lua-script.js';
import { startRedisFixture, until, type RedisFixture } from './testing/redis-fixture.js';

const environment = { clock: systemClock, log: silentLog };
let redis: RedisFixture;
let connection: RedisConnection;

beforeAll(async () => {
  redis = await startRedisFixture();
  connection = await redis.connect({ commandTimeoutMs: 300 });
});
afterAll(() => redis.stop());

describe('connectRedis', () => {
  it.each(['localhost:6379', 'http://localhost', 'redis://', ''])('refuses %j as a URL', async (url) => {
    await expect(connectRedis(url, environment)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('redis://HOST:PORT'),
    });
  });

  it('says who does not answer, without the password, and what to do', async () => {
    const url = 'redis://user:secret@127.0.0.1:1';
    const failure = await connectRedis(url, { ...environment, connectTimeoutMs: 100 }).catch(
      (e: unknown) => e,
    );
    expect(failure).toMatchObject({ code: 'REDIS_UNAVAILABLE', action: 'retry' });
    expect(String(failure)).toMatch(/redis:\/\/user@127\.0\.0\.1:1 .*ECONNREFUSED.*cria up/);
    expect(String(failure)).not.toContain('secret');
  });

  it('gives up on a server that accepts and never answers', async () => {
    const mute = createServer().listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const url = `redis://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const options = { ...environment, connectTimeoutMs: 200, commandTimeoutMs: 100 };
    await expect(connectRedis(url, options)).rejects.toSatisfy(isRetryable);
    mute.close();
  });

  it('asks for the password at once where one is needed', async () => {
    await connection.call('config', (c) => c.config('SET', 'requirepass', 'secret'));
    await expect(connectRedis(redis.server.url, environment)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('redis://:PASSWORD@HOST:PORT'),
    });
    const withPassword = redis.server.url.replace('//', '//:wrong@');
    await expect(connectRedis(withPassword, environment)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await connection.call('config', (c) => c.config('SET', 'requirepass', ''));
  });

  it('warns about a policy that evicts keys', async () => {
    await connection.call('config', (c) => c.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    const warnings: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields, message) => warnings.push(message) };
    await redis.connect({ log });
    expect(warnings).toEqual([expect.stringContaining('noeviction')]);
    await connection.call('config', (c) => c.config('SET', 'maxmemory-policy', 'noeviction'));
  });
});

describe('a connection', () => {
  const echo = luaScript('echo', 'return {ARGV[1], #KEYS}');

  it('runs a script that the server has never seen, and again after it forgot it', async () => {
    expect(await connection.run(echo, ['k'], ['a'])).toEqual(['a', 1]);
    await connection.call('flush', (c) => c.script('FLUSH'));
    expect(await connection.run(echo, ['k'], ['b'])).toEqual(['b', 1]);
  });

  it('fails within its deadline while the server hangs, and works again afterwards', async () => {
    process.kill(redis.server.pid, 'SIGSTOP');
    const startedMs = systemClock.monotonicMs();
    const failure = connection.call('get', (c) => c.get('k'));
    await expect(failure).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', action: 'retry' });
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(5000);
    // Nothing will ever come over this socket: it is given up, and a new one is tried.
    await until('the connection is given up', () => !connection.isReady);
    process.kill(redis.server.pid, 'SIGCONT');
    await until('it answers', () =>
      connection
        .call('get', (c) => c.ping())
        .then(
          () => true,
          () => false,
        ),
    );
  });

  it('fails at once while the server is down, queues nothing, and comes back by itself', async () => {
    await redis.kill();
    await until('the loss is noticed', () => !connection.isReady);
    const lost = connection.call('set', (c) => c.set('never', '1'));
    await expect(lost).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', action: 'retry' });
    await redis.restart();
    await until('it is back', () => connection.isReady);
    expect(await connection.call('get', (c) => c.get('never'))).toBeNull();
  });

  it('says when Redis is out of memory', async () => {
    await connection.call('config', (c) => c.config('SET', 'maxmemory', '1'));
    const failure = connection.run(luaScript('write', `redis.call('SET', KEYS[1], '1')`), ['full'], []);
    await expect(failure).rejects.toMatchObject({
      code: 'REDIS_UNAVAILABLE',
      message: expect.stringContaining('maxmemory'),
    });
    await connection.call('config', (c) => c.config('SET', 'maxmemory', '0'));
  });

  it('reports a script that is wrong as a fault of ours, not as one to repeat', async () => {
    const failure = connection.run(luaScript('wrong', `return redis.call('NOSUCH')`), [], []);
    await expect(failure).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('delivers published messages, also after the server was restarted, until unsubscribed', async () => {
    const heard: string[] = [];
    const unsubscribe = connection.subscribe('news', (message) => heard.push(message));
    const publish = (text: string): Promise<boolean> =>
      connection
        .call('publish', (c) => c.publish('news', text))
        .then(
          (count) => count > 0,
          () => false,
        );
    await until('somebody listens', () => publish('one'));
    await redis.kill();
    await redis.restart();
    await until('somebody listens again', () => publish('two'));
    await until('both were heard', () => heard.includes('one') && heard.includes('two'));
    unsubscribe();
    await until('nobody listens', async () => !(await publish('three')));
    expect(heard).not.toContain('three');
  });
});
