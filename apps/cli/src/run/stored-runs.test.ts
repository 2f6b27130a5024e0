import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { init } from '@cria/metrics/log';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCria } from '../testing/run-cria.js';
import { storedRuns } from './stored-runs.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cria-stored-runs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, runFile: object | string | null, rows: readonly object[], end = ''): void {
  const directory = join(folder, name);
  mkdirSync(directory);
  writeFileSync(
    join(directory, 'metrics.jsonl'),
    rows.map((row) => `${JSON.stringify(row)}\n`).join('') + end,
  );
  const text = typeof runFile === 'string' ? runFile : JSON.stringify(runFile);
  if (runFile !== null) writeFileSync(join(directory, 'run.json'), text);
}

describe('runs on disk', () => {
  it('are those with metrics, the one that did something last first, whatever is damaged', async () => {
    write('done', { run: 'a\u001b[2J', phase: 'finished', coordinators: [] }, [
      { step: 9, loss: 2.5, wallMs: 2000 },
    ]);
    // No system gives such a process id.
    const dead = { id: 'c', pid: 2 ** 30, grpcAddress: '', httpAddress: '' };
    write(
      'killed',
      { run: 'k', phase: 'running', coordinators: [dead] },
      [{ step: 4, loss: null, wallMs: 3000 }],
      '{"st',
    );
    write('damaged', 'no json', [], 'neither is this\n');
    mkdirSync(join(folder, 'no run'));
    appendFileSync(join(folder, 'a file'), '');
    const logged = init({ project: 'demo', dir: join(folder, 'logged') });
    logged.log({ loss: 1 });
    logged.finish();
    const runs = storedRuns(folder);
    expect(runs.map(({ run, phase, steps, loss }) => [run, phase, steps, loss])).toEqual([
      ['demo', 'finished', 1, 1],
      ['k', 'unknown', 5, null],
      ['a\u001b[2J', 'finished', 10, 2.5],
      [join(folder, 'damaged'), 'unknown', 0, null],
    ]);
    const { code, stdout } = await runCria(['runs', folder], { cwd: folder });
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(6);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(stdout).toMatch(/killed +k +- +unknown +5 +- /);
  });

  it('are named when there is no such directory', async () => {
    const { code, stderr } = await runCria(['runs', 'nowhere'], { cwd: folder });
    expect(code).toBe(2);
    expect(stderr).toContain('nowhere cannot be read');
  });
});
