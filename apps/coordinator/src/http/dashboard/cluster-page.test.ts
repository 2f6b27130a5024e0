// The cluster as the page shows it, its controls, and what happens to the page when its coordinator goes away.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DashboardBench, committed, lossPanel, newestStep } from '../fixture/dashboard-bench.js';
import { SyntheticRun } from '../fixture/synthetic-run.js';

const bench = new DashboardBench();
beforeAll(() => bench.start(), 60_000);
afterEach(() => bench.release());
afterAll(() => bench.stop());

describe.skipIf(bench.executable === null)('the cluster', { timeout: 60_000 }, () => {
  it('shows a killed worker as gone, its seat as waiting, and its replacement', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 60);
    const { page, errors } = await bench.open(await bench.serve(run), '/cluster');
    const lost = run.status().members[1]?.id ?? '';
    await page.getByRole('rowheader', { name: lost }).waitFor();
    run.kill(1);
    await page.getByRole('rowheader', { name: lost }).waitFor({ state: 'detached', timeout: 3_000 });
    await page.getByText('1 seat waits for a worker').waitFor({ timeout: 3_000 });
    await page.locator('.gone').getByText(`${lost} is gone`).waitFor({ timeout: 3_000 });
    run.commit();
    run.replace();
    const joined = run.status().members[2]?.id ?? '';
    await page.getByRole('rowheader', { name: joined }).waitFor({ timeout: 3_000 });
    await page.getByText('3 of 3 taken').waitFor();
    expect(errors).toEqual([]);
  });

  it('says how long a worker has been silent, and nothing worse', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 5);
    const { page } = await bench.open(await bench.serve(run), '/cluster');
    run.silence(0, 12_400);
    await page.getByRole('cell', { name: 'no contact for 12 s' }).waitFor();
    expect(await page.getByText(/crash|dead/i).count()).toBe(0);
  });

  it('is steered with the token of the run, after asking', async () => {
    const run = committed(new SyntheticRun(), 10);
    const { page, errors } = await bench.open(await bench.serve(run), `/#token=${run.token}`);
    expect(page.url()).not.toContain(run.token);
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.getByLabel('workers', { exact: true }).fill('4');
    expect(run.asked).toEqual([]);
    await page.getByRole('dialog').getByRole('button', { name: 'Scale' }).click();
    await page.locator('.events').getByText('the run wants 4 workers').waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    expect(run.asked).toEqual(['scale 4', 'pause']);
    expect(errors).toEqual([]);
  });

  it('asks for the token where it has none, and again where it is wrong', async () => {
    const run = committed(new SyntheticRun(), 10);
    const { page } = await bench.open(await bench.serve(run), '/cluster');
    const worker = run.status().members[0]?.id ?? '';
    await page.getByRole('button', { name: `drain ${worker}` }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel("the run's token").fill('guess');
    await dialog.getByRole('button', { name: 'Drain' }).click();
    await dialog.getByText('this is not the token').waitFor();
    expect(run.asked).toEqual([]);
    await dialog.getByLabel("the run's token").fill(run.token);
    await dialog.getByRole('button', { name: 'Drain' }).click();
    await page.getByRole('rowheader', { name: worker }).waitFor({ state: 'detached' });
    expect(run.asked).toEqual([`drain ${worker}`]);
  });

  it('comes back after the coordinator was away, missing nothing and showing nothing twice', async () => {
    const run = committed(new SyntheticRun(), 30);
    const server = await bench.serve(run);
    const { page } = await bench.open(server);
    await newestStep(page, 29).waitFor();
    await server.stop();
    await page.getByText(/no connection for/).waitFor();
    committed(run, 5);
    run.event('scaled', 'while nobody looked');
    await bench.serve(run, server.port);
    await page.getByText('live', { exact: true }).waitFor();
    await newestStep(page, 34).waitFor();
    run.commit();
    await newestStep(page, 35).waitFor();
    expect(await page.locator('.events').getByText('while nobody looked').count()).toBe(1);
    expect(await page.locator('.events li').count()).toBe(run.events().length);
  });

  it('stands a hostile name, 200 workers and losses that are not finite', async () => {
    const name = '<script>alert(0)</script><img src=x onerror=alert(1)>"&\\/';
    const run = committed(new SyntheticRun({ run: name, workers: 200, slots: 200 }), 20);
    for (const loss of [null, Infinity, NaN, -1]) run.commit({ loss, gradNorm: loss, verdict: 'skip' });
    run.event('waiting', '<script>alert(2)</script>');
    const { page, errors, foreign } = await bench.open(await bench.serve(run), '/?log=1');
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.locator('.events').getByText('<script>alert(2)</script>').waitFor();
    run.commit({ loss: null });
    await page.locator('.figures .alarm').getByText('not finite').waitFor();
    await page.getByRole('link', { name: 'Cluster' }).click();
    await page.getByRole('rowheader').nth(199).waitFor();
    await page.getByRole('searchbox', { name: 'filter members' }).fill('node-3');
    await expect.poll(() => page.getByRole('rowheader').count()).toBeLessThan(40);
    for (const place of ['Samples', 'Checkpoints', 'Ledger', 'Logs', 'Alerts', 'Configuration', 'All runs']) {
      await page.getByRole('navigation').getByRole('link', { name: place }).click();
      await page.locator('main .panel').first().waitFor();
    }
    await page.getByRole('rowheader', { name }).waitFor();
    await lossPanel(page).getByText(name).waitFor();
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });
});
