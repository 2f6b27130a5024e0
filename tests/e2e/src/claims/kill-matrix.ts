import { claim } from '../stage.js';
import { FEW_CASES } from '../matrix/cases.js';
import { DisturbedRun } from '../disturbed-run.js';
import { hitCase } from '../matrix/hit-case.js';

/** A few cases of the matrix (`npm run test:matrix` has all of them). */
export function killMatrix(): void {
  claim(
    'one after the other at ten points of the protocol: two workers, their leader, Redis',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 2 });
      await run.begun();
      for (const which of FEW_CASES) await hitCase(run, which);
      await run.compare();
    },
  );
}
