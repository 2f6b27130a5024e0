// The page of a run: its curves, and what one does with them.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '@cria/runtime';
import {
  DashboardBench,
  committed,
  drag,
  lossPanel,
  newestStep,
  pixels,
} from '../fixture/dashboard-bench.js';
import { SyntheticRun } from '../fixture/synthetic-run.js';

const bench = new DashboardBench();
beforeAll(() => bench.start(), 60_000);
afterEach(() => bench.release());
afterAll(() => bench.stop());

describe.skipIf(bench.executable === null)('the page of a run', { timeout: 60_000 }, () => {
  it('moves the loss curve within a second of a commit', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { page, errors, foreign } = await bench.open(await bench.serve(run));
    await newestStep(page, 59).waitFor();
    const shownMs: number[] = [];
    for (const step of [60, 61, 62, 63, 64]) {
      const before = await pixels(page);
      const startMs = systemClock.monotonicMs();
      run.commit({ loss: 3 + step });
      await newestStep(page, step).waitFor();
      shownMs.push(systemClock.monotonicMs() - startMs);
      expect(await pixels(page)).not.toBe(before);
    }
    // The machine may have been busy with something else, but not every time.
    expect(Math.min(...shownMs)).toBeLessThan(1_000);
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it('tells the best evaluation beside the newest, at once', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { page, errors } = await bench.open(await bench.serve(run));
    await page
      .locator('.figures')
      .getByText(/^best \d+\.\d+ at 49$/)
      .waitFor();
    run.commit({ valLoss: 1.5 });
    // The summary, which has it too, is read again after a quarter of a minute.
    await page.locator('.figures').getByText('best 1.500 at 60').waitFor({ timeout: 5_000 });
    run.commit({ valLoss: 9 });
    await page.locator('.figures').getByText('9.0000').waitFor();
    expect(await page.locator('.figures').getByText('best 1.500 at 60').count()).toBe(1);
    expect(errors).toEqual([]);
  });

  it('loses no step that is committed while it loads', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { metrics } = run;
    let commits = 0;
    // Called for the list, the summary and each request for curves.
    run.metrics = () => {
      const history = metrics.call(run);
      if (commits++ < 4) run.commit();
      return history;
    };
    const { page } = await bench.open(await bench.serve(run));
    await newestStep(page, 63).waitFor();
    expect(run.status().step).toBe(64);
  });

  it('fetches finer data for the part that is dragged over, and shows all again on a double click', async () => {
    const run = committed(new SyntheticRun({ steps: 20_000 }), 6_000);
    const { page, errors } = await bench.open(await bench.serve(run));
    await page.getByText('8 steps a point').waitFor();
    await drag(page, 0.4, 0.5);
    await page.getByText('8 steps a point').waitFor({ state: 'hidden' });
    const window = new URL(page.url()).searchParams;
    expect(Number(window.get('from'))).toBeGreaterThan(2_300);
    expect(Number(window.get('to'))).toBeLessThan(3_100);
    await lossPanel(page).locator('.u-over').dblclick();
    await page.getByText('8 steps a point').waitFor();
    expect(new URL(page.url()).search).toBe('');
    expect(errors).toEqual([]);
  });

  it('keeps the view in the address, so that a link shows the same', async () => {
    const run = committed(new SyntheticRun(), 60);
    const server = await bench.serve(run);
    const { page } = await bench.open(server);
    await page.getByLabel('tokens', { exact: true }).check();
    await page.getByLabel('log', { exact: true }).check();
    await page.getByLabel('clip', { exact: true }).check();
    await page.getByLabel('smoothing').fill('0');
    const { page: copy } = await bench.open(server, new URL(page.url()).search);
    expect(await copy.getByLabel('tokens', { exact: true }).isChecked()).toBe(true);
    expect(await copy.getByLabel('log', { exact: true }).isChecked()).toBe(true);
    expect(await copy.getByLabel('clip', { exact: true }).isChecked()).toBe(true);
    await copy.getByText('off', { exact: true }).waitFor();
  });

  it('draws raw values where smoothing is off, and another curve for every width', async () => {
    const run = committed(new SyntheticRun(), 80);
    const { page } = await bench.open(await bench.serve(run), '/?smooth=1');
    await newestStep(page, 79).waitFor();
    await page.getByText('off', { exact: true }).waitFor();
    expect(await lossPanel(page).getByTitle('smoothed').count()).toBe(0);
    const raw = await pixels(page);
    await page.keyboard.press('s');
    await lossPanel(page).getByTitle('smoothed').waitFor();
    const three = await pixels(page);
    await page.keyboard.press('s');
    await page.getByText('5 steps', { exact: true }).waitFor();
    await expect.poll(() => pixels(page)).not.toBe(three);
    expect(three).not.toBe(raw);
  });

  it('is steered by keys, which it lists under a question mark', async () => {
    const run = committed(new SyntheticRun(), 30);
    const { page, errors } = await bench.open(await bench.serve(run));
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('x');
    expect(await page.getByLabel('tokens', { exact: true }).isChecked()).toBe(true);
    await page.keyboard.press('2');
    await page.getByRole('region', { name: 'members' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/cluster');
    await page.goBack();
    await newestStep(page, 29)
      .or(lossPanel(page).getByText('tokens', { exact: false }).first())
      .waitFor();
    expect(errors).toEqual([]);
  });

  it('tells the story of a marker under the mouse', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 60);
    const lost = run.kill(1);
    committed(run, 20);
    const { page, errors } = await bench.open(await bench.serve(run));
    await newestStep(page, 79).waitFor();
    const box = await lossPanel(page).locator('.u-over').boundingBox();
    await page.mouse.move((box?.x ?? 0) + ((box?.width ?? 0) * 60) / 79, (box?.y ?? 0) + 40);
    await page.locator('.story').getByText(`${lost} is gone`).waitFor();
    expect(errors).toEqual([]);
  });

  it('tells the stories of its markers to who has no mouse', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 20);
    run.kill(1);
    committed(run, 20);
    const { page, errors } = await bench.open(await bench.serve(run));
    await newestStep(page, 39).waitFor();
    await page.keyboard.press(',');
    const told = lossPanel(page).getByRole('status');
    await expect.poll(() => told.textContent()).toMatch(/step \d+: /);
    const newest = await told.textContent();
    expect(await lossPanel(page).locator('.story li').count()).toBeGreaterThan(0);
    await page.keyboard.press(',');
    await expect.poll(() => told.textContent()).not.toBe(newest);
    await page.keyboard.press('.');
    await expect.poll(() => told.textContent()).toBe(newest);
    await page.keyboard.press('Escape');
    await lossPanel(page).locator('.story').waitFor({ state: 'detached' });
    expect(errors).toEqual([]);
  });

  it('shows one line and a faint tail for a run that was resumed', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { page, errors } = await bench.open(await bench.serve(run));
    await newestStep(page, 59).waitFor();
    run.resumeFrom(50);
    run.commit();
    await newestStep(page, 50).waitFor();
    committed(run, 3);
    await newestStep(page, 53).waitFor();
    await lossPanel(page).getByText('left behind by a resume').waitFor();
    expect(errors).toEqual([]);
  });
});
