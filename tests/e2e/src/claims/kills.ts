import { expect } from 'vitest';
import type { PausePoint } from '../fault-points.js';
import { kill, processesIn } from '../processes.js';
import { expectUndisturbed, tiny } from '../reference.js';
import { claim, type Life, type Stage } from '../stage.js';

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
      const { up, victim } = await pausedUp(stage, 'applying', 1);
      kill(victim, 'SIGKILL');
      await expectUndisturbed(stage, await up.outcome());
      expect(stage.run.replayed()).toEqual([4, 5]);
    },
  );

  claim('the coordinator', async (stage) => {
    const up = stage.up(tiny(2));
    await stage.committed(STEP);
    kill(stage.child('coordinator-0'), 'SIGKILL');
    await expectUndisturbed(stage, await up.outcome());
    expect(up.stderr()).toContain('coordinator-0 ended (SIGKILL); starting it again');
    const terms = stage.run.ledger().map(({ term }) => term.number);
    expect(terms.at(-1)).toBeGreaterThan(terms[0] as number);
    // Members keep their state over a change of leader: nothing is loaded and nothing computed again.
    expect(stage.run.events('worker-shadow')).toEqual([]);
    expect(stage.run.replayed()).toEqual([]);
  });

  claim('nobody: a worker told to end hands over its slots and leaves', async (stage) => {
    const up = stage.up(tiny(2));
    await stage.committed(STEP);
    const leaver = stage.child('worker-1');
    kill(leaver, 'SIGTERM');
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
): Promise<{ up: Life; victim: number }> {
  stage.points.arm(point, STEP);
  const up = stage.up(tiny(workers));
  const victim = await stage.until(`a worker stands at ${point}`, () => stage.points.standsAt(point));
  return { up, victim };
}
