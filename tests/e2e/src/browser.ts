// A real Chromium beside a real run. Its folder is the stage's, so that nobody outlives the test.
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** CRIA_CHROMIUM names another one; null where there is none. */
export function chromiumPath(): string | null {
  return [process.env.CRIA_CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path)) ?? null;
}

/** Opens an address in a browser of its own, lets `watch` look at it, and closes both. */
export async function watching(address: string, watch: (page: Page) => Promise<void>): Promise<void> {
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser: Browser = await chromium.launch({
    executablePath: chromiumPath() ?? '',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', ...quiet],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    await page.goto(address);
    await watch(page);
  } finally {
    await browser.close();
  }
}
