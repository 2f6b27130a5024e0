// Two lives of one run in one directory would write over each other's files.
import { CriaError, sleep, type Clock } from '@cria/runtime';
import { baseOf } from '../run/find-run.js';
import { readRunFile } from '../run/run-file.js';

/** Children of a `cria up` that was killed a moment ago end within this time (the watchdog's grace and a little). */
const DYING_MS = 10_000;
const POLL_MS = 250;
const ANSWER_MS = 1000;

/**
 * Waits until no coordinator of an earlier life answers.
 *
 * @throws CriaError RUN_EXISTS when one goes on answering
 */
export async function expectIdle(outDir: string, clock: Clock, signal: AbortSignal): Promise<void> {
  const file = readRunFile(outDir);
  if (file === null) return;
  const bases = file.coordinators.map(({ httpAddress }) => baseOf(httpAddress));
  const untilMs = clock.monotonicMs() + DYING_MS;
  while ((await Promise.all(bases.map((base) => answersFor(base, file.runId)))).includes(true)) {
    if (clock.monotonicMs() >= untilMs) {
      const pids = file.coordinators.map(({ pid }) => pid).join(', ');
      throw new CriaError(
        'RUN_EXISTS',
        `the run in ${outDir} is under way (coordinator process ${pids}): end it with \`cria stop --out ${outDir}\` first`,
      );
    }
    await sleep(clock, POLL_MS, signal);
  }
}

async function answersFor(base: string, runId: string): Promise<boolean> {
  try {
    const response = await fetch(`${base}/api/runs/${runId}`, { signal: AbortSignal.timeout(ANSWER_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
