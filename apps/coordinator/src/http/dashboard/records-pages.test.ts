// What a run leaves behind, page by page: samples, checkpoints, ledger, logs, alerts, notes; and several runs at once.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DashboardBench, committed, lossPanel, pixels } from '../fixture/dashboard-bench.js';
import { SyntheticRun } from '../fixture/synthetic-run.js';

const bench = new DashboardBench();
const folder = mkdtempSync(join(tmpdir(), 'cria-pages-'));
beforeAll(() => bench.start(), 60_000);
afterEach(() => bench.release());
afterAll(async () => {
  await bench.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A run that another program logged and that is over. */
function loggedRun(name: string, lossAt: (step: number) => number, peakLr: number): void {
  const path = join(folder, 'runs', name);
  mkdirSync(path, { recursive: true });
  const rows = Array.from({ length: 40 }, (_, step) => ({
    ...{ step, segment: 0, wallMs: 1_790_000_000_000 + 1000 * step },
    ...{ loss: lossAt(step), 'eval/accuracy': step / 40 },
  }));
  writeFileSync(join(path, 'metrics.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const about = { run: name, runId: `id-${name}`, source: 'logged', project: 'ablations', phase: 'finished' };
  writeFileSync(join(path, 'run.json'), JSON.stringify({ ...about, startedWallMs: 1_790_000_000_000 }));
  writeFileSync(join(path, 'config.yaml'), `seed: 1337\noptimizer: { peakLr: ${peakLr} }\n`);
}

describe.skipIf(bench.executable === null)('the records of a run', { timeout: 60_000 }, () => {
  it('shows what the model wrote, step by step', async () => {
    const run = committed(new SyntheticRun(), 160);
    const { page, errors } = await bench.open(await bench.serve(run), '/samples');
    await page.getByText('Once upon a time').waitFor();
    await page.getByText('<b>Economy</b> of').waitFor();
    const newest = await page.locator('.sample .text').first().textContent();
    await page.getByRole('button', { name: 'earlier sample' }).click();
    await expect.poll(() => page.locator('.sample .text').first().textContent()).not.toBe(newest);
    expect(new URL(page.url()).searchParams.get('at')).toBe('100');
    await page.getByRole('button', { name: 'newest' }).click();
    await expect.poll(() => page.locator('.sample .text').first().textContent()).toBe(newest);
    expect(errors).toEqual([]);
  });

  it('lists checkpoints, and the coverage of the ledger entry by entry', async () => {
    const run = committed(new SyntheticRun({ steps: 400 }), 160);
    const { page, errors } = await bench.open(await bench.serve(run), '/checkpoints');
    await page.getByRole('rowheader', { name: '150' }).waitFor();
    await page.keyboard.press('5');
    await page.getByText('every token of every committed step was trained on exactly once').waitFor();
    await page.getByRole('rowheader', { name: '159' }).waitFor();
    run.commit();
    await page.getByRole('rowheader', { name: '160' }).waitFor();
    await page.getByRole('button', { name: 'older' }).click();
    await page.getByRole('rowheader', { name: '10', exact: true }).waitFor();
    expect(errors).toEqual([]);
  });

  it('follows a log, by level and by text', async () => {
    const logsDirectory = join(folder, 'logs');
    mkdirSync(logsDirectory);
    const line = (level: number, msg: string): string =>
      `${JSON.stringify({ level, time: 1_790_000_000_000, msg, step: 7, slots: 3 })}\n`;
    const path = join(logsDirectory, 'worker-0.log');
    writeFileSync(path, line(30, 'granted slots') + line(50, '<b>out of memory</b>') + 'not JSON at all\n');
    const run = committed(new SyntheticRun({ logsDirectory }), 10);
    const { page, errors } = await bench.open(await bench.serve(run), '/logs');
    await page.getByText('<b>out of memory</b>').waitFor();
    await page.getByText('not JSON at all').waitFor();
    writeFileSync(path, line(30, 'one more'), { flag: 'a' });
    await page.getByText('one more').waitFor();
    await page.getByRole('searchbox').fill('granted');
    await page.getByText('one more').waitFor({ state: 'detached' });
    await page.getByText('granted slots').waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByLabel('from level').selectOption('error');
    await page.getByText('granted slots').waitFor({ state: 'detached' });
    await page.getByText('<b>out of memory</b>').waitFor();
    expect(errors).toEqual([]);
  });

  it('shows an alert while it fires, and takes its acknowledgement', async () => {
    const run = committed(new SyntheticRun(), 30);
    const { page, errors } = await bench.open(await bench.serve(run), `/alerts#token=${run.token}`);
    await page.getByText('All is well').waitFor();
    run.commit({ loss: null, verdict: 'skip' });
    const button = page.getByRole('button', { name: /Acknowledge/ }).first();
    await button.waitFor();
    await button.click();
    await page
      .getByText(/acknowledged \d/)
      .first()
      .waitFor();
    expect(run.asked.filter((asked) => asked.startsWith('acknowledge'))).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  it('keeps tags and a note, as text and nothing else', async () => {
    const run = committed(new SyntheticRun(), 10);
    const { page, errors } = await bench.open(await bench.serve(run), `/config#token=${run.token}`);
    await page.getByRole('rowheader', { name: 'optimizer.peakLr' }).waitFor();
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByLabel(/tags/).fill('baseline, bf16');
    await page.getByLabel('note', { exact: true }).fill('<script>alert(3)</script>');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('.notes').getByText('<script>alert(3)</script>').waitFor();
    await page.locator('.top').getByText('bf16').waitFor();
    expect(run.notes()).toEqual({ tags: ['baseline', 'bf16'], note: '<script>alert(3)</script>' });
    expect(errors).toEqual([]);
  });

  it('lays runs over each other, and tells how their configurations differ', async () => {
    loggedRun('first', (step) => 9 - step / 10, 0.001);
    loggedRun('second', (step) => 8 - step / 10, 0.003);
    const run = committed(new SyntheticRun(), 40);
    const server = await bench.serve(run, 0, join(folder, 'runs'));
    const { page, errors } = await bench.open(server);
    await page.getByRole('link', { name: 'All runs' }).click();
    await page.getByRole('rowheader', { name: 'second' }).waitFor();
    await lossPanel(page).getByText('second').waitFor();
    const three = await pixels(page);
    await page.getByLabel(`show ${run.run}`).uncheck();
    await expect.poll(() => pixels(page)).not.toBe(three);
    const differing = page.getByRole('region', { name: 'configurations' });
    await differing.getByRole('rowheader', { name: 'optimizer.peakLr' }).waitFor();
    expect(await differing.getByRole('rowheader').allTextContents()).toEqual(['optimizer.peakLr']);
    await page.getByRole('link', { name: 'first' }).click();
    await page.getByRole('heading', { name: 'eval/accuracy' }).waitFor();
    await page.getByText('from disk', { exact: true }).waitFor();
    expect(errors).toEqual([]);
  });
});
