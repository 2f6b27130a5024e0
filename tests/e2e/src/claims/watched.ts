import { expect } from 'vitest';
import { chromiumPath, watching } from '../browser.js';
import { kill } from '../processes.js';
import { reference } from '../reference.js';
import { runFile } from '../run-api.js';
import { claim, type Stage } from '../stage.js';

/** How soon the page has to show what happened. */
const SHOWN_MS = 3_000;
/** More steps than anybody watches: the claim stops the run. */
const ENDLESS = ['--set', 'budget.steps=100000', '--set', 'checkpoint.everySteps=100000'];

export function watched(): void {
  if (chromiumPath() === null) return;

  claim(
    'a killed worker and its replacement appear within seconds, a killed coordinator is waited for',
    async (stage) => {
      const up = stage.up(['--config', reference().config, '--workers', '2', ...ENDLESS]);
      await stage.committed(3);
      await stage.whole(2);
      await watching(`${addressOf(stage)}/cluster`, async (page) => {
        const rowOf = (id: string) => page.getByRole('rowheader', { name: id });
        await page.getByText('2 of 2 taken').waitFor();
        const [victim, other] = (await stage.status())?.members ?? [];
        if (victim === undefined || other === undefined) throw new Error('there are no two members');
        await rowOf(victim.id).waitFor();

        kill(victim.pid, 'SIGKILL');
        await rowOf(victim.id).waitFor({ state: 'detached', timeout: SHOWN_MS });
        await page.locator('.gone').getByText(victim.id, { exact: true }).waitFor({ timeout: SHOWN_MS });
        await stage.whole(2);
        const replacement = (await stage.status())?.members.find(({ id }) => id !== other.id);
        await rowOf(replacement?.id ?? '').waitFor({ timeout: SHOWN_MS });

        await page.getByRole('link', { name: 'Curves' }).click();
        await page.locator('.chart.tall .u-over').waitFor();
        kill(stage.child('coordinator-0'), 'SIGKILL');
        await page.getByText(/no connection for/).waitFor();
        await page.getByText('live', { exact: true }).waitFor({ timeout: 30_000 });
        const events = await stage.until('all events are on the page', async () => {
          const shown = await page.locator('.events li').count();
          return shown === stage.run.events().length ? shown : null;
        });
        expect(events).toBeGreaterThan(5);
        const before = stage.run.steps();
        await stage.committed(before + 3);
        await stage.until('the curve has gone on', async () => {
          const place = await page.locator('.chart.tall .place').textContent();
          return Number(place?.replace(/\D/g, '') ?? 0) >= before;
        });
      });
      await stage.wish('stop');
      await up.outcome();
    },
  );
}

function addressOf(stage: Stage): string {
  const address = runFile(stage.run.path)?.coordinators[0]?.httpAddress;
  if (address === undefined) throw new Error('run.json names no coordinator');
  return `http://${address}`;
}
