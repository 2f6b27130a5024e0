// Light and dark, on every page: contrast, names, landmarks, and a phone's width.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { DashboardBench, committed } from '../fixture/dashboard-bench.js';
import { readabilityOf } from '../fixture/readability.js';
import { SyntheticRun } from '../fixture/synthetic-run.js';

const bench = new DashboardBench();
beforeAll(() => bench.start(), 60_000);
afterEach(() => bench.release());
afterAll(() => bench.stop());

const PAGES = [
  ...['Curves', 'Cluster', 'Samples', 'Checkpoints', 'Ledger', 'Logs', 'Alerts'],
  ...['Configuration', 'All runs'],
];
const FINE = { faint: [], nameless: [], mains: 1, navs: 1, headings: 1 };

/** Labels of figures that have not the room for all their words. */
const CUT_LABELS = `[...document.querySelectorAll('dt')]
  .filter((label) => label.scrollWidth > label.clientWidth + 1).map((label) => label.textContent)`;

async function onEveryPage(page: Page, look: (name: string) => Promise<void>): Promise<void> {
  for (const name of PAGES) {
    await page.getByRole('navigation').getByRole('link', { name }).click();
    await page.locator('main .panel').first().waitFor();
    await look(name);
  }
}

describe.skipIf(bench.executable === null)('every page', { timeout: 60_000 }, () => {
  it('can be read in light and in dark, and says what its fields are', async () => {
    const run = committed(new SyntheticRun({ workers: 3 }), 60);
    run.kill(1);
    run.commit({ loss: null, verdict: 'skip' });
    run.silence(0, 9_000);
    const { page } = await bench.open(await bench.serve(run));
    for (const theme of ['light', 'dark']) {
      await page.getByRole('navigation').getByLabel(theme, { exact: true }).check();
      await onEveryPage(page, async (name) => {
        expect({ name, theme, ...(await readabilityOf(page)) }).toEqual({ name, theme, ...FINE });
      });
    }
  });

  it('fits a phone: nothing but tables scrolls sideways', async () => {
    const { page } = await bench.open(await bench.serve(committed(new SyntheticRun({ workers: 3 }), 60)));
    await page.setViewportSize({ width: 390, height: 844 });
    await onEveryPage(page, async (name) => {
      const width = await page.evaluate('document.documentElement.scrollWidth');
      const cut = await page.evaluate(CUT_LABELS);
      expect({ name, width, cut }).toEqual({ name, width: 390, cut: [] });
    });
  });
});
