// `cria dashboard` as a process.
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runCria } from './testing/run-cria.js';

const CRIA = fileURLToPath(new URL('../bin/cria.mjs', import.meta.url));

describe('cria dashboard', { timeout: 120_000 }, () => {
  it('serves the runs of a directory until it is told to end', async () => {
    const runs = await mkdtemp(join(tmpdir(), 'cria-dashboard-'));
    await mkdir(join(runs, 'one'));
    await writeFile(join(runs, 'one', 'metrics.jsonl'), '{"step":0,"wallMs":1,"loss":2.5}\n');
    const child = spawn(process.execPath, [CRIA, 'dashboard', runs, '--http-port', '0', '--json']);
    const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (b) => resolve(String(b))));
    const { address } = JSON.parse(line) as { address: string };
    const answer = (await (await fetch(`${address}/api/runs`)).json()) as { runs: unknown[] };
    expect(answer.runs).toMatchObject([{ id: 'one', source: 'logged', loss: 2.5, live: false }]);
    child.kill('SIGTERM');
    expect(await ended).toBe(143);
    await rm(runs, { recursive: true });
  });

  it('says what is missing', async () => {
    const { code, stderr } = await runCria(['dashboard', '/nowhere/at/all'], { cwd: tmpdir() });
    expect(code).toBe(2);
    expect(stderr).toContain('/nowhere/at/all does not exist');
  });
});
