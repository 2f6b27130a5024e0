// Commands that speak to a run, as processes against a stand-in for its coordinator's HTTP side.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { init } from '@cria/metrics/log';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCria, type CriaResult } from '../testing/run-cria.js';

const STATUS = {
  ...{ run: 'tiny', runId: 'r1', phase: 'running', reason: '', step: 3, steps: 9, term: 1, leader: 'c1' },
  ...{ members: [], coordinators: [], seats: { target: 2, waiting: 1 }, mathHash: 'abc' },
};

let cwd = '';
let server: Server;
let address = '';
let closed = '';
let received: Array<{ url: string; token: string; body: string }> = [];

beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'cria-find-run-'));
  received = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { url = '', method } = request;
      if (method !== 'POST')
        return response.end(JSON.stringify(url === '/api/runs' ? { runs: [STATUS] } : STATUS));
      const token = request.headers.authorization ?? '';
      received.push({ url, token, body });
      response.statusCode = token === 'Bearer secret' ? 202 : 401;
      return response.end(
        JSON.stringify({ error: { code: 'UNAUTHORISED', message: 'this is not the token' } }),
      );
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  address = addressOf(server);
  const once = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => once.once('listening', resolve));
  closed = addressOf(once);
  await new Promise((resolve) => once.close(resolve));
});

const addressOf = (listening: Server): string => `127.0.0.1:${(listening.address() as AddressInfo).port}`;

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(cwd, { recursive: true });
});

function writeRun(name: string, fields: { phase?: string; pid?: number; httpAddress?: string } = {}): string {
  const { phase = 'running', pid = process.pid, httpAddress = address } = fields;
  const folder = join(cwd, 'runs', name);
  mkdirSync(folder, { recursive: true });
  const coordinators = [{ id: 'c1', pid, grpcAddress: address, httpAddress }];
  writeFileSync(
    join(folder, 'run.json'),
    JSON.stringify({ run: name, phase, token: 'secret', coordinators }),
  );
  return folder;
}

const cria = (...args: string[]): Promise<CriaResult> => runCria(args, { cwd });

describe('a command that speaks to a run', () => {
  it('finds the only run of this machine', async () => {
    writeRun('tiny');
    writeRun('ended', { phase: 'finished' });
    const { code, stdout } = await cria('status', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(STATUS);
  });

  it('is not disturbed by a run beside it that another program logs', async () => {
    writeRun('tiny');
    const logged = init({ project: 'other', dir: join(cwd, 'runs', 'logged') });
    const { code, stdout } = await cria('status', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(STATUS);
    const asked = await cria('status', '--out', 'runs/logged');
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain('is logged by another program');
    logged.finish();
  });

  it('wants one named when there are two', async () => {
    writeRun('tiny');
    writeRun('other');
    const { code, stderr } = await cria('status');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /several runs are under way: name one with --out: runs\/(tiny|other), runs\/(tiny|other)/,
    );
  });

  it('does not take a run whose processes are gone for a running one', async () => {
    // No system gives such a process id.
    writeRun('tiny', { pid: 2 ** 30 });
    expect((await cria('status')).stderr).toContain('no run is under way in ./runs');
    const { code, stderr } = await cria('status', '--out', 'runs/tiny');
    expect(code).toBe(2);
    expect(stderr).toContain('is not running: `cria up --out runs/tiny --resume` continues it');
  });

  it('finds a run by its coordinators and passes over one that does not answer', async () => {
    const { code, stdout } = await cria('status', '--coordinators', `${closed},${address}`);
    expect(code).toBe(0);
    expect(stdout).toContain('step 3 of 9');
  });

  it('says which coordinators do not answer', async () => {
    const { code, stderr } = await cria('status', '--coordinators', closed);
    expect(code).toBe(1);
    expect(stderr).toContain(`no coordinator of the run answers: http://${closed}: connect ECONNREFUSED`);
  });

  it.each([
    [['scale', '3'], '/api/runs/r1/scale', '{"target":3}'],
    [['pause'], '/api/runs/r1/pause', '{}'],
    [['resume'], '/api/runs/r1/resume', '{}'],
    [['stop'], '/api/runs/r1/stop', '{}'],
  ])('sends %j with the token of run.json', async (command, url, body) => {
    writeRun('tiny');
    const { code } = await cria(...command);
    expect(code).toBe(0);
    expect(received).toEqual([{ url, token: 'Bearer secret', body }]);
  });

  it('passes on that a token is wrong', async () => {
    const { code, stderr } = await cria('pause', '--coordinators', address, '--token', 'guess');
    expect(code).toBe(2);
    expect(stderr).toContain('this is not the token');
  });

  it('asks for the token where only the address is known', async () => {
    const { code, stderr } = await cria('pause', '--coordinators', address);
    expect(code).toBe(2);
    expect(stderr).toContain('CRIA_TOKEN');
    expect(received).toEqual([]);
  });
});
