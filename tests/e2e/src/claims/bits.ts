import { expect } from 'vitest';
import { DisturbedRun } from '../disturbed-run.js';
import type { FaultPoint } from '../fault-points.js';
import { claim, type Stage } from '../stage.js';

/** What can be flipped where only one worker is. */
const IN_MEMORY: readonly FaultPoint[] = ['flip-accumulator', 'flip-parameter'];
const ON_THE_WIRE: readonly FaultPoint[] = ['flip-frame-reduce-scatter', 'flip-frame-all-gather'];

export function bits(): void {
  claim(
    'a slot without a finite gradient, and flipped bits, with one, two and three workers',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 1 });
      await run.begun();
      const poisoned: number[] = [];
      for (const workers of [1, 2, 3]) {
        if (workers > 1) await run.scale(workers);
        if (workers === 3) stage.points.arm('flip-frame-donating');
        const step = await stage.whileStepsWait(() => {
          // A step may be committed all the same if what stands still is a spare.
          const next = stage.run.steps() + 10;
          stage.points.poison(next, workers);
          return next;
        });
        poisoned.push(step);
        await stage.committed(step + 2);
        for (const fault of [...IN_MEMORY, ...(workers > 1 ? ON_THE_WIRE : [])]) await flip(stage, fault);
        await run.whole();
      }
      await run.compare();
      const skipped = stage.disturbed.ledger().filter(({ verdict }) => verdict === 'skip');
      expect(skipped.map(({ step, flagged }) => [step, flagged])).toEqual(
        poisoned.map((step, i) => [step, [i + 1]]),
      );
    },
  );
}

/** Flips a bit and waits until the run has gone on for some steps. */
async function flip(stage: Stage, fault: FaultPoint): Promise<void> {
  stage.points.arm(fault);
  await stage.until(`${fault} has happened`, () => stage.points.takenBy(fault));
  await stage.committed(stage.run.steps() + 4);
}
