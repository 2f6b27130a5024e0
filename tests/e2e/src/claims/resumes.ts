import { expect } from 'vitest';
import { lastObject } from '../cria.js';
import { compareWithUndisturbed, DisturbedRun } from '../disturbed-run.js';
import { killAllIn, processesIn } from '../processes.js';
import { expectUndisturbed, reference, tiny } from '../reference.js';
import { claim, type Life, type Stage } from '../stage.js';
import { TINY } from '../tiny-run.js';

export function resumes(): void {
  claim('by a power cut, and goes on with fewer workers', async (stage) => {
    stage.up(tiny(3, TINY.budgetSteps));
    await stage.checkpointed(4);
    await stage.whileStepsWait(() => killAllIn(stage.folder));
    await expectGoesOn(stage, 1);
    expect(stage.run.events('run-resumed')).toHaveLength(1);
  });

  claim(
    'by SIGKILL to `cria up`, whose children then end too, and goes on with more workers',
    async (stage) => {
      const up = stage.up(tiny(1, TINY.budgetSteps));
      await stage.checkpointed(4);
      await stage.whileStepsWait(() => {
        expect(commandsIn(stage)).toContain('redis-server');
        up.signal('SIGKILL');
      });
      await stage.empty();
      await expectGoesOn(stage, 3);
    },
  );

  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    claim(`by ${signal}: \`cria up\` leaves nobody behind and says how to go on`, async (stage) => {
      const up = stage.up(tiny(2, TINY.budgetSteps));
      await stage.committed(5);
      await stage.whileStepsWait(() => up.signal(signal));
      const { code, stderr } = await up.ended;
      expect(code).toBe(exitCode);
      expect(processesIn(stage.folder)).toEqual([]);
      expect(stderr).toContain(`\`cria up --out ${stage.run.path} --resume\` goes on`);
      if (signal === 'SIGINT') await expectGoesOn(stage, 1);
    });
  }

  claim('by `cria pause` and `cria stop`, then resumed three times with other workers', async (stage) => {
    const run = new DisturbedRun(stage, { workers: 2 });
    await run.begun();
    await stage.wish('pause');
    await stage.until('it is paused', async () => (await phaseOf(stage)) === 'paused');
    const steps = stage.run.steps();
    expect(await phaseOf(stage)).toBe('paused');
    expect(stage.run.steps()).toBe(steps);
    await stage.wish('resume');
    await stage.committed(steps + 1);
    let outcome = await run.stop();
    for (const workers of [3, 1, 2]) {
      expect(await stage.run.checkpoints()).toContain(outcome.steps);
      outcome = await resumed(stage, workers, outcome.steps + 7).outcome();
    }
    expect(stage.run.events('run-resumed')).toHaveLength(3);
    expect(stage.run.replayed()).toEqual([]);
    await compareWithUndisturbed(stage, outcome);
  });
}

/** The next life trains some steps more, to one that the reference has a checkpoint of. */
async function expectGoesOn(stage: Stage, workers: number): Promise<void> {
  const least = stage.run.steps() + 2;
  const comparable = await reference().stage.run.checkpoints();
  const steps = Math.min(...comparable.filter((step) => step >= least));
  await expectUndisturbed(stage, await resumed(stage, workers, steps).outcome(), steps);
}

/** The next life, which takes the configuration from the run's directory. */
function resumed(stage: Stage, workers: number, steps: number): Life {
  return stage.up(['--resume', '--workers', String(workers), '--steps', String(steps)]);
}

async function phaseOf(stage: Stage): Promise<string> {
  const status = await stage.cria('status', '--out', stage.run.path, '--json');
  return lastObject<{ phase: string }>(status).phase;
}

function commandsIn(stage: Stage): string {
  return processesIn(stage.folder)
    .map(({ command }) => command)
    .join('\n');
}
