// The whole kill matrix: npm run test:matrix. CRIA_MATRIX_WORKERS=2 takes one number of workers only.
import { writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { DisturbedRun } from '../disturbed-run.js';
import { clearReference, makeReference } from '../reference.js';
import { CLAIM_MS, onStage } from '../stage.js';
import { allCases, titleOf } from './cases.js';
import { hitCase } from './hit-case.js';

const WORKERS = (process.env['CRIA_MATRIX_WORKERS'] ?? '1,2,3,4').split(',').map(Number);
const MATRIX_MS = 3_600_000;

describe.runIf(process.platform === 'linux')('the kill matrix', () => {
  beforeAll(makeReference, 2 * CLAIM_MS);
  afterAll(clearReference);

  for (const workers of WORKERS) {
    const cases = allCases(workers);
    it(`${cases.length} kills, ${workers} workers: one result`, { timeout: MATRIX_MS }, async () => {
      const stage = await onStage(async (stage) => {
        const run = new DisturbedRun(stage, { workers });
        await run.begun();
        for (const which of cases) {
          const beganMs = performance.now();
          await hitCase(run, which);
          say(
            `${workers} workers  ${titleOf(which).padEnd(24)} ${Math.round(performance.now() - beganMs)} ms`,
          );
        }
        say(`${workers} workers  ${await run.compare()} steps compared`);
        await stage.empty();
      }, MATRIX_MS);
      stage.clear();
    });
  }
});

function say(line: string): void {
  writeSync(2, `${line}\n`);
}
