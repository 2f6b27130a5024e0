// The built dashboard in a real browser, in front of the real server and a made-up run.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Browser, Locator, Page } from 'playwright-core';
import { silentLog, systemClock } from '@cria/runtime';
import { chromiumPath, launchChromium, openPage } from './fixture/browser.js';
import type { WatchedPage } from './fixture/browser.js';
import { SyntheticRun } from './fixture/synthetic-run.js';
import { createHttpServer } from './server.js';
import type { HttpServer } from './server.js';

const STATIC_DIR = fileURLToPath(new URL('../../../dashboard/dist', import.meta.url));
const executable = chromiumPath();
if (executable === null) process.stdout.write('skipped: no chromium (install it, or set CRIA_CHROMIUM)\n');

let browser: Browser;
const cleanUp: Array<() => Promise<void>> = [];

beforeAll(async () => {
  if (executable === null) return;
  if (!existsSync(`${STATIC_DIR}/index.html`)) throw new Error('build first: npx nx build @cria/dashboard');
  browser = await launchChromium(executable);
}, 60_000);
afterAll(() => browser?.close());
afterEach(async () => {
  for (const release of cleanUp.splice(0).reverse()) await release();
});

async function serve(view: SyntheticRun, port = 0): Promise<HttpServer> {
  const server = await createHttpServer({
    view,
    staticDir: STATIC_DIR,
    host: '127.0.0.1',
    port,
    clock: systemClock,
    log: silentLog,
  });
  cleanUp.push(() => server.stop());
  return server;
}

async function open(server: HttpServer, address = '/'): Promise<WatchedPage> {
  const watched = await openPage(browser, `${server.address}${address}`);
  cleanUp.push(() => watched.page.close());
  await watched.page.getByText('live', { exact: true }).waitFor();
  return watched;
}

const committed = (run: SyntheticRun, steps: number): SyntheticRun => {
  for (let step = 0; step < steps; step++) run.commit();
  return run;
};
const lossPanel = (page: Page): Locator => page.locator('.chart.tall');
const newestStep = (page: Page, step: number): Locator =>
  lossPanel(page).getByText(`step ${step.toLocaleString('en-US')}`, { exact: true });
const pixels = (page: Page): Promise<string> =>
  page.evaluate('document.querySelector(".chart.tall canvas").toDataURL()') as Promise<string>;

/** Drags over part of the loss chart, as shares of its width. */
async function drag(page: Page, from: number, to: number): Promise<void> {
  const box = await lossPanel(page).locator('.u-over').boundingBox();
  if (box === null) throw new Error('the loss chart is not there');
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * from, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * to, y, { steps: 4 });
  await page.mouse.up();
}

describe.skipIf(executable === null)('the dashboard', { timeout: 60_000 }, () => {
  it('moves the loss curve within a second of a commit', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { page, errors, foreign } = await open(await serve(run));
    await newestStep(page, 59).waitFor();
    const before = await pixels(page);
    const startMs = systemClock.monotonicMs();
    run.commit({ loss: 3 });
    await newestStep(page, 60).waitFor({ timeout: 1_000 });
    expect(await pixels(page)).not.toBe(before);
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(1_000);
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it('loses no step that is committed while it loads', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { metrics } = run;
    let commits = 0;
    // Called for the summary and for each of the five curves.
    run.metrics = () => {
      const history = metrics.call(run);
      if (commits++ < 6) run.commit();
      return history;
    };
    const { page } = await open(await serve(run));
    await newestStep(page, 65).waitFor();
    expect(run.status().step).toBe(66);
  });

  it('fetches finer data for the part that is dragged over, and shows all again on a double click', async () => {
    const run = committed(new SyntheticRun({ steps: 20_000 }), 6_000);
    const { page, errors } = await open(await serve(run));
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
    const server = await serve(run);
    const { page } = await open(server);
    await page.getByLabel('tokens', { exact: true }).check();
    await page.getByLabel('log', { exact: true }).check();
    await page.getByLabel('smoothing').fill('0');
    const { page: copy } = await open(server, new URL(page.url()).search);
    expect(await copy.getByLabel('tokens', { exact: true }).isChecked()).toBe(true);
    expect(await copy.getByLabel('log', { exact: true }).isChecked()).toBe(true);
    await copy.getByText('off', { exact: true }).waitFor();
  });

  it('shows a killed worker as gone, its seat as waiting and its replacement, and tells the story on the curve', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 60);
    const { page, errors } = await open(await serve(run));
    const lost = run.status().members[1]?.id ?? '';
    await page.getByRole('rowheader', { name: lost }).waitFor();
    run.kill(1);
    await page.getByRole('rowheader', { name: lost }).waitFor({ state: 'detached', timeout: 3_000 });
    await page.getByText('1 seat waits for a worker').waitFor({ timeout: 3_000 });
    run.commit();
    run.replace();
    const joined = run.status().members[2]?.id ?? '';
    await page.getByRole('rowheader', { name: joined }).waitFor({ timeout: 3_000 });
    committed(run, 20);
    await newestStep(page, 80).waitFor();
    const box = await lossPanel(page).locator('.u-over').boundingBox();
    await page.mouse.move((box?.x ?? 0) + ((box?.width ?? 0) * 60) / 80, (box?.y ?? 0) + 40);
    await page.locator('.story').getByText(`${lost} is gone`).waitFor();
    expect(errors).toEqual([]);
  });

  it('says how long a worker has been silent, and nothing worse', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 5);
    const { page } = await open(await serve(run));
    run.silence(0, 12_400);
    await page.getByRole('cell', { name: 'no contact for 12 s' }).waitFor();
    expect(await page.getByText(/crash|dead/i).count()).toBe(0);
  });

  it('steers the run with its token, after asking', async () => {
    const run = committed(new SyntheticRun(), 10);
    const { page, errors } = await open(await serve(run), `/#token=${run.token}`);
    expect(page.url()).not.toContain(run.token);
    await page.getByRole('button', { name: 'Scale' }).click();
    await page.getByLabel('workers', { exact: true }).fill('4');
    expect(run.asked).toEqual([]);
    await page.getByRole('dialog').getByRole('button', { name: 'Scale' }).click();
    await page.getByText('the run wants 4 workers').waitFor();
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
    const { page } = await open(await serve(run));
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
    const server = await serve(run);
    const { page } = await open(server);
    await newestStep(page, 29).waitFor();
    await server.stop();
    await page.getByText(/no connection for/).waitFor();
    committed(run, 5);
    run.event('scaled', 'while nobody looked');
    await serve(run, server.port);
    await page.getByText('live', { exact: true }).waitFor();
    await newestStep(page, 34).waitFor();
    run.commit();
    await newestStep(page, 35).waitFor();
    expect(await page.getByText('while nobody looked').count()).toBe(1);
    expect(await page.locator('.events li').count()).toBe(run.events().length);
  });

  it('shows one line and a faint tail for a run that was resumed', async () => {
    const run = committed(new SyntheticRun(), 60);
    const { page, errors } = await open(await serve(run));
    await newestStep(page, 59).waitFor();
    run.resumeFrom(50);
    run.commit();
    await newestStep(page, 50).waitFor();
    committed(run, 3);
    await newestStep(page, 53).waitFor();
    await lossPanel(page).getByText('left behind by a resume').waitFor();
    expect(errors).toEqual([]);
  });

  it('stands a hostile name, 200 workers and losses that are not finite', async () => {
    const name = '<img src=x onerror=alert(1)>"&\\/';
    const run = committed(new SyntheticRun({ run: name, workers: 200, slots: 200 }), 20);
    for (const loss of [null, Infinity, NaN, -1]) run.commit({ loss, gradNorm: loss, verdict: 'skip' });
    run.event('waiting', '<script>alert(2)</script>');
    const { page, errors, foreign } = await open(await serve(run), '/?log=1');
    await page.getByRole('heading', { name, exact: true }).waitFor();
    await page.getByText('<script>alert(2)</script>').waitFor();
    expect(await page.getByRole('rowheader').count()).toBeGreaterThanOrEqual(200);
    run.commit({ loss: null });
    await page.locator('.figures .alarm').getByText('not finite').waitFor();
    expect(errors).toEqual([]);
    expect(foreign).toEqual([]);
  });
});
