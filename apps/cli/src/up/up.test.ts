// `cria up` as a process with stand-ins for coordinator and worker (testing/stub-cria.mjs) and a real Redis.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from '@cria/data';
import { systemClock } from '@cria/runtime';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../testing/up-with-stubs.mjs', import.meta.url));
const MANY_STEPS = 100_000;

let folder = '';
let data = '';
let out = '';
let started: ChildProcess[] = [];

beforeAll(async () => {
  const shared = mkdtempSync(join(tmpdir(), 'cria-up-data-'));
  writeFileSync(join(shared, 'text.txt'), 'The llama is a domesticated South American camelid. '.repeat(40));
  data = join(shared, 'tokens');
  await prepare({ inputs: [join(shared, 'text.txt')], outDir: data });
  return () => rmSync(shared, { recursive: true });
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cria-up-'));
  out = join(folder, 'run');
});

afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  started = [];
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

interface Up {
  readonly pid: number;
  readonly process: ChildProcess;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function startUp(
  steps: number,
  environment: NodeJS.ProcessEnv = {},
  { flags = [], stderr = 'pipe' }: { flags?: readonly string[]; stderr?: 'pipe' | number } = {},
): Up {
  const child = spawn(process.execPath, [SCRIPT, out, String(steps), data, ...flags], {
    env: { ...process.env, STUB_ORDER: join(folder, 'order'), ...environment },
    stdio: ['ignore', 'pipe', stderr],
    // A process group of its own, as a shell gives to a job.
    detached: true,
  });
  started.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...output })),
  );
  return { pid: child.pid ?? -1, process: child, ended };
}

interface LogLine {
  readonly place?: string;
  readonly childPid: number;
  readonly msg: string;
}

/** Children by place, from up's own log; the newest process of each. */
function children(): Map<string, number> {
  const file = join(out, 'logs', 'up.log');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  const places = new Map<string, number>();
  for (const line of lines.map((text) => JSON.parse(text) as LogLine)) {
    if (line.place !== undefined && line.msg === 'started') places.set(line.place, line.childPid);
    if (line.place !== undefined && line.msg === 'ended') places.delete(line.place);
  }
  return places;
}

const steps = (): number => {
  const file = join(out, 'metrics.jsonl');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
};

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie whose parent has not asked yet counts as ended.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits for an event that no callback tells of: another process's doing. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  while (!condition()) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits like `until`, and no step follows meanwhile: the run cannot end before it was looked at. */
async function held(condition: () => boolean, what: string): Promise<void> {
  await until(() => steps() > 2, 'it has begun');
  writeFileSync(join(out, 'hold'), '');
  await until(condition, what);
}

function letGo(): void {
  rmSync(join(out, 'hold'));
}

/** What the stand-ins have noted: workers when they are ready, everybody when they have left cleanly. */
const order = (): string[] => {
  const file = join(folder, 'order');
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
};

const isTraining = (): boolean =>
  steps() > 2 && children().size === 4 && order().filter((word) => word === 'ready').length === 2;

/** Processes whose arguments name this test's directory, the watchdogs of this up included. */
function leftOver(pids: readonly number[]): number[] {
  return pids.filter(isAlive);
}

function watchdogOf(pid: number): number {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  const found = pids.find((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('cria-watchdog'),
  );
  return found ?? -1;
}

describe.runIf(process.platform === 'linux')('cria up', () => {
  it('prints the outcome and leaves no process behind', async () => {
    const up = startUp(40);
    await held(isTraining, 'it trains');
    const pids = [...children().values(), watchdogOf(up.pid)];
    letGo();
    const { code, stdout } = await up.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: 'stub', steps: 40, stateSha256: 'b' });
    await until(() => leftOver(pids).length === 0, 'everybody has ended');
  });

  it('trains on where its own lines go to a disk that is full', async () => {
    const full = openSync('/dev/full', 'w');
    const { code, stdout } = await startUp(20, {}, { stderr: full }).ended;
    closeSync(full);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ run: 'stub', steps: 20 });
  });

  it.each(['redis', 'coordinator-0', 'worker-1'])('starts %s again when it is killed', async (place) => {
    const up = startUp(60);
    await held(isTraining, 'it trains');
    const victim = children().get(place) ?? -1;
    process.kill(victim, 'SIGKILL');
    await until(() => (children().get(place) ?? victim) !== victim, 'another one has taken its place');
    letGo();
    const { code, stdout, stderr } = await up.ended;
    expect(stderr).toContain(`${place} ended (SIGKILL); starting it again now`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ steps: 60 });
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('stops workers, then coordinator, then Redis on %s', async (signal, exitCode) => {
    const up = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    const pids = [...children().values()];
    up.process.kill(signal);
    expect((await up.ended).code).toBe(exitCode);
    expect(leftOver(pids)).toEqual([]);
    expect(order().slice(2)).toEqual(['worker', 'worker', 'coordinator']);
  });

  it('keeps that order when Ctrl-C reaches its whole process group', async () => {
    const up = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    process.kill(-up.pid, 'SIGINT');
    expect((await up.ended).code).toBe(130);
    expect(order().slice(2)).toEqual(['worker', 'worker', 'coordinator']);
  });

  it('takes everybody along when it is killed with SIGKILL', async () => {
    const up = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    const pids = [...children().values(), watchdogOf(up.pid)];
    expect(pids).toHaveLength(5);
    up.process.kill('SIGKILL');
    await until(() => leftOver(pids).length === 0, 'everybody has ended');
  });

  it('takes along a stopped child and replaces a watchdog that was killed', async () => {
    const up = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    const first = watchdogOf(up.pid);
    process.kill(first, 'SIGKILL');
    await until(() => ![first, -1].includes(watchdogOf(up.pid)), 'there is another watchdog');
    const pids = [...children().values(), watchdogOf(up.pid)];
    process.kill(children().get('worker-0') ?? -1, 'SIGSTOP');
    up.process.kill('SIGKILL');
    await until(() => leftOver(pids).length === 0, 'everybody has ended');
  });

  it('goes on with --resume where a killed one has ended, waiting for its children to end', async () => {
    const first = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    const before = steps();
    first.process.kill('SIGKILL');
    const { code, stdout } = await startUp(before + 50, {}, { flags: ['--resume'] }).ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ steps: before + 50 });
  });

  it('does not resume a run that is under way', async () => {
    const first = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    const { code, stderr } = await startUp(MANY_STEPS, {}, { flags: ['--resume'] }).ended;
    expect(stderr).toContain(`end it with \`cria stop --out ${out}\` first`);
    expect(code).toBe(2);
    first.process.kill('SIGTERM');
    expect((await first.ended).code).toBe(143);
  });

  it('follows the number of workers that the run wants', async () => {
    const up = startUp(MANY_STEPS);
    await until(isTraining, 'it trains');
    const workers = (): number => [...children().keys()].filter((place) => place.startsWith('worker')).length;
    writeFileSync(join(out, 'target'), '4');
    await until(() => workers() === 4, 'there are four workers');
    up.process.kill('SIGTERM');
    await up.ended;
    expect(workers()).toBe(0);
  });

  it('ends the run when a child keeps failing and no step is committed', async () => {
    const up = startUp(MANY_STEPS, { STUB_WORKER_FAILS: 'yes' });
    await until(() => existsSync(out), 'it has a directory');
    writeFileSync(join(out, 'hold'), '');
    const { code, stderr } = await up.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[CHILD_FAILED\] worker-\d ended 6 times in a row without a step in between/);
    expect(children().size).toBe(0);
  });

  it("passes on a coordinator's own words and exit code", async () => {
    const says = '[PORT_IN_USE] port 80 is taken: choose another with --http-port';
    const { code, stderr } = await startUp(MANY_STEPS, { STUB_COORDINATOR_SAYS: says }).ended;
    expect(code).toBe(2);
    expect(stderr).toContain(says);
    expect(children().size).toBe(0);
  });
});
