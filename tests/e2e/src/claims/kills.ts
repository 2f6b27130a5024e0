import { expect } from 'vitest';
import { DisturbedRun } from '../disturbed-run.js';
import type { PausePoint } from '../fault-points.js';
import { kill, processesIn } from '../processes.js';
import { expectUndisturbed, tiny } from '../reference.js';
import { claim, type Life, type Stage } from '../stage.js';
import { CALM, LONG_LEASE } from '../tiny-run.js';

/** In the middle between two checkpoints. */
const STEP = 5;

export function kills(): void {
  claim('a worker that computes, with another one beside it', async (stage) => {
    const { up, victim } = await pausedUp(stage, 'computing', 2);
    const isLost = (): boolean => stage.run.events('worker-lost').length > 0;
    expect(isLost()).toBe(false);
    kill(victim, 'SIGKILL');
    await expectUndisturbed(stage, await up.outcome());
    expect(up.stderr()).toMatch(/worker-\d ended \(SIGKILL\); starting it again now/);
    expect(stage.run.events('worker-lost')).toHaveLength(1);
    // Nobody has the slots of one who had not prepared: the other computes them.
    expect(stage.run.ledger()[STEP]?.members).toHaveLength(1);
    expect(stage.run.replayed()).toEqual([]);
  });

  claim(
    'the only worker, before it applied a committed step: its successor computes that one again',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 1 });
      await run.begun();
      // A worker that stands still delivers nothing for a checkpoint that is being written.
      await stage.until('there is a checkpoint', async () => (await stage.run.checkpoints()).length > 0);
      const victim = await stage.stoppedAt('applying');
      const committed = stage.run.steps();
      kill(victim, 'SIGKILL');
      await run.whole([victim]);
      await run.compare();
      const replayed = stage.disturbed.replayed();
      const [from = -1] = replayed;
      expect(from).toBeGreaterThan(0);
      expect(replayed).toEqual(Array.from({ length: committed - from }, (_, i) => from + i));
    },
  );

  claim('the coordinator', async (stage) => {
    const { up, victim: stands } = await pausedUp(stage, 'computing', 2);
    kill(stage.child('coordinator-0'), 'SIGKILL');
    kill(stands, 'SIGCONT');
    await expectUndisturbed(stage, await up.outcome());
    expect(up.stderr()).toContain('coordinator-0 ended (SIGKILL); starting it again');
    const terms = stage.run.ledger().map(({ term }) => term.number);
    expect(terms.at(-1)).toBeGreaterThan(terms[0] as number);
    // Members keep their state over a change of leader: nothing is loaded and nothing computed again.
    expect(stage.run.events('worker-shadow')).toEqual([]);
    expect(stage.run.replayed()).toEqual([]);
  });

  claim('nobody: a worker told to end hands over its slots and leaves', async (stage) => {
    const { up, victim: stands } = await pausedUp(stage, 'computing', 2, LONG_LEASE);
    const leaver = stage.child('worker-1');
    kill(leaver, 'SIGTERM');
    kill(stands, 'SIGCONT');
    await stage.until('it has left', () => !processesIn(stage.folder).some(({ pid }) => pid === leaver));
    await expectUndisturbed(stage, await up.outcome());
    expect(up.stderr()).toContain('worker-1 ended (exit code 143)');
    expect(stage.run.events('worker-left')).toHaveLength(1);
    expect(stage.run.events('worker-lost')).toEqual([]);
    expect(stage.run.events('exchange-repeated')).toEqual([]);
    expect(stage.run.metrics().filter(({ attempts, lostMs }) => attempts > 1 || lostMs > 0)).toEqual([]);
  });
}

/** A run in which the first worker that reaches `point` stands still there. */
async function pausedUp(
  stage: Stage,
  point: PausePoint,
  workers: number,
  flags: readonly string[] = [],
): Promise<{ up: Life; victim: number }> {
  stage.points.arm(point, STEP);
  const up = stage.up([...tiny(workers), ...CALM, ...flags]);
  const victim = await stage.until(`a worker stands at ${point}`, () => stage.points.standsAt(point));
  return { up, victim };
}
