// The schedules that break obvious step protocols, by their names in docs/testing.md: here those that need a cluster.
// Each is run with many timings; every invariant of the simulator holds in all of them.
import { describe, expect, it } from 'vitest';
import type { Fault } from './faults/fault.js';
import type { ClusterShape } from './faults/schedule.js';
import { simulate, type SimulationResult } from './simulate.js';

const TIMINGS = 12;

const SHAPE: Partial<ClusterShape> = {
  ...{ workers: 3, target: 3, coordinators: 2, slots: 6, numParts: 3, endStep: 8 },
  ...{
    checkpointEverySteps: 3,
    validationEverySteps: 0,
    workersMin: 1,
    onLoss: 'salvage',
    anomalies: null,
    recomputeFraction: 0,
  },
  slotMs: [30, 40, 50],
};

/** Runs the faults in many timings: `at` counts through them. */
function schedules(
  shape: Partial<ClusterShape>,
  faultsAt: (at: number) => readonly Fault[],
): SimulationResult[] {
  const results: SimulationResult[] = [];
  for (let at = 0; at < TIMINGS; at++) {
    const faults = faultsAt(at);
    const result = simulate({ seed: 1000 + at, faults, shape: { ...SHAPE, ...shape } });
    if (result.violation !== null) {
      const { rule, text } = result.violation;
      throw new Error(`${rule}: ${text}\n${faults.map((fault) => JSON.stringify(fault)).join('\n')}`);
    }
    results.push(result);
  }
  return results;
}

function killed(who: string, when: Fault['when']): Fault {
  return { when, action: { do: 'kill', who } };
}

function noted(results: readonly SimulationResult[], kind: string): number {
  return results.reduce((sum, { notes }) => sum + (notes.get(kind) ?? 0), 0);
}

const finished = (results: readonly SimulationResult[]): boolean =>
  results.every(({ ending }) => ending === 'finished');

describe('a sum holds every slot exactly once', () => {
  it('H1: slots of a hanging worker are computed elsewhere, then it wakes up under a new leader', () => {
    const results = schedules({}, (at) => [
      {
        when: { point: 'computing', count: 4 + 3 * at },
        action: { do: 'freeze', who: 'hit', forMs: 1600 + 40 * at },
      },
      killed('leader', { point: 'leader <- slotDone', count: 6 + 5 * at }),
    ]);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'worker-lost')).toBeGreaterThan(0);
  });

  it('H3: a member dies while its accumulator is streamed, and another gets its slots', () => {
    const results = schedules({}, (at) => [
      killed('hit', { point: 'exchanging', count: 2 + 2 * at }),
      {
        when: { point: 'worker <- exchange', count: 3 + 2 * at },
        action: { do: 'slow', host: 'w1', forMs: 400, addMs: 90 },
      },
    ]);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'exchange-repeated')).toBeGreaterThan(0);
  });

  it('H18: a slot with numbers that are not finite counts once and its step is skipped, whoever computed it', () => {
    const anomalies = { nonFinite: 'skip', lossSpikeSigmas: 1, onSpike: 'skip' } as const;
    const results = schedules({ anomalies, slots: 6 }, (at) => [
      killed('hit', { point: 'computing', count: 9 + at }),
    ]);
    expect(results.some(({ verdicts }) => verdicts.has('skip'))).toBe(true);
  });
});

describe('one flipped bit (H2)', () => {
  it.each(['state', 'accumulator', 'update'] as const)(
    'in a %s never gets into the ledger; the run goes on',
    (where) => {
      const results = schedules({ slotMs: [30, 30, 30] }, (at) => [
        {
          when: { point: 'computing', count: 5 + 3 * at },
          action: { do: 'flip', who: 'w1', where, part: at % 3 },
        },
      ]);
      expect(finished(results)).toBe(true);
      if (where !== 'accumulator') expect(noted(results, 'damage-found')).toBeGreaterThan(0);
    },
  );

  it('in a donor never gets further than the newcomers that copy it, who are sent away', () => {
    const shape = { workers: 2, target: 2, workersMin: 2, slots: 4, slotMs: [30, 30], endStep: 7 };
    const results = schedules(shape, (at) => [
      killed('w1', { point: 'worker <- commit', count: 3 + (at % 6) }),
      {
        when: { ms: 280 + 30 * at },
        action: { do: 'flip', who: 'w0', where: 'state', part: at % 3 },
      },
    ]);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'damage-found')).toBeGreaterThan(0);
  });

  it('is found by a worker that is alone, too: it loads the newest checkpoint and replays', () => {
    const shape = { workers: 1, target: 1, slotMs: [30], slots: 3 };
    const results = schedules(shape, (at) => [
      {
        when: { point: 'computing', count: 11 + at },
        action: { do: 'flip', who: 'w0', where: 'state', part: 0 },
      },
    ]);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'step-replayed')).toBeGreaterThan(0);
  });
});

describe('nothing but genesis and ledger enters the mathematics', () => {
  it('H4: verdicts of a new leader are those of the old one', () => {
    const anomalies = { nonFinite: 'skip', lossSpikeSigmas: 0.5, onSpike: 'skip' } as const;
    const results = schedules({ anomalies }, (at) => [
      killed('leader', { point: 'appending', count: 2 + (at % 5) }),
      { when: { ms: 300 + 20 * at }, action: { do: 'redis', comeback: 'all', downMs: 300 } },
    ]);
    expect(results.some(({ verdicts }) => verdicts.has('skip'))).toBe(true);
  });

  it('H15: a skipped step is over: the next one follows, nothing goes back', () => {
    const anomalies = { nonFinite: 'skip', lossSpikeSigmas: 0.2, onSpike: 'skip' } as const;
    const results = schedules({ anomalies, endStep: 7 }, () => []);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'step-replayed')).toBe(0);
  });
});

describe('nobody is outvoted', () => {
  it('H5: any one worker that is left goes on, whoever dies with the leader', () => {
    const results = schedules({ workers: 4, target: 4, slotMs: [30, 30, 30, 30], slots: 8 }, (at) => [
      ...['w0', 'w1', 'w2'].map((who) => killed(who, { ms: 250 + 25 * at })),
      killed('leader', { ms: 251 + 25 * at }),
    ]);
    expect(finished(results)).toBe(true);
  });

  it('H21: too few workers for workers.min, and the step under way ends all the same', () => {
    const results = schedules({ workersMin: 2 }, (at) => [
      ...['w0', 'w1'].map((who) => killed(who, { point: 'exchanging', count: 3 + 2 * at })),
    ]);
    expect(finished(results)).toBe(true);
  });
});

describe('leaders and Redis come and go', () => {
  it('H6: Redis has an entry that no worker has applied, and the leader is dead', () => {
    const results = schedules({}, (at) => [killed('leader', { point: 'appending', count: 1 + (at % 7) })]);
    expect(finished(results)).toBe(true);
  });

  it('H6: the answer to an append is lost', () => {
    const results = schedules({}, (at) => [
      {
        when: { point: 'appending', count: 1 + (at % 7) },
        action: { do: 'partition', from: 'redis', to: 'c0', forMs: 700 },
      },
      {
        when: { point: 'appending', count: 1 + (at % 7) },
        action: { do: 'partition', from: 'redis', to: 'c1', forMs: 700 },
      },
    ]);
    expect(finished(results)).toBe(true);
  });

  it.each(['dump', 'empty'] as const)(
    'H7: Redis comes back %s, beside a leader that believes in its lease',
    (comeback) => {
      const results = schedules({}, (at) => [
        { when: { ms: 200 + 30 * at }, action: { do: 'redis', comeback, downMs: 30 + 20 * at } },
        { when: { ms: 260 + 30 * at }, action: { do: 'freeze', who: 'leader', forMs: 1500 } },
      ]);
      expect(finished(results)).toBe(true);
    },
  );

  it('H8: all workers die with the newest checkpoint below the head: the steps between are replayed', () => {
    const results = schedules({ checkpointEverySteps: 4 }, (at) =>
      ['w0', 'w1', 'w2'].map((who) => killed(who, { point: 'applying', count: 8 + at })),
    );
    expect(finished(results)).toBe(true);
    expect(noted(results, 'step-replayed')).toBeGreaterThan(0);
  });

  it('H13: a leader stopped in the middle of an append wakes up after another has taken over', () => {
    const results = schedules({ coordinators: 3 }, (at) => [
      {
        when: { point: 'appending', count: 1 + (at % 7) },
        action: { do: 'freeze', who: 'leader', forMs: 1400 + 50 * at },
      },
    ]);
    expect(finished(results)).toBe(true);
  });
});

describe('joins, seats, checkpoints', () => {
  it('H9: a worker joins while steps go on; nobody waits, and its state is one of one step', () => {
    const results = schedules({ target: 1, endStep: 11 }, (at) => [
      { when: { ms: 150 + 15 * at }, action: { do: 'scale', target: 3 } },
    ]);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'worker-joined')).toBeGreaterThan(2 * TIMINGS);
  });

  it('H10: dead workers, a sleeping one and an empty Redis never make more workers than seats', () => {
    const results = schedules({ workers: 4, slotMs: [30, 30, 30, 30] }, (at) => [
      killed('w0', { ms: 150 + 20 * at }),
      killed('w0', { ms: 700 + 20 * at }),
      { when: { ms: 200 + 10 * at }, action: { do: 'freeze', who: 'w1', forMs: 2500 } },
      { when: { ms: 400 }, action: { do: 'redis', comeback: 'empty', downMs: 100 } },
    ]);
    expect(finished(results)).toBe(true);
  });

  it('H11: a member dies in step s before anything of s + 1 goes out', () => {
    const results = schedules({}, (at) => [killed('hit', { point: 'worker -> prepare', count: 1 + 2 * at })]);
    expect(finished(results)).toBe(true);
  });

  it('H12: all but one of those who have prepared die: the step is not computed again', () => {
    const results = schedules({}, (at) => [
      killed('w0', { point: 'leader <- prepare', count: 2 + 3 * (at % 6) }),
      killed('w1', { point: 'leader <- prepare', count: 2 + 3 * (at % 6) }),
    ]);
    expect(finished(results)).toBe(true);
  });

  it('H14: a worker dies with its part of a checkpoint, in the middle and at the end of the run', () => {
    const results = schedules({}, (at) => [
      killed('hit', { point: 'worker <- commit', count: 7 + (at % 3) }),
      killed('hit', { point: 'worker <- store', count: 1 + (at % 3) }),
    ]);
    expect(finished(results)).toBe(true);
    expect(noted(results, 'checkpoint-failed')).toBeGreaterThan(0);
  });

  it('H16: a worker that hears nobody accuses one after the other: it goes, not they', () => {
    const results = schedules({}, (at) => [
      {
        when: { point: 'exchanging', count: 2 + 2 * at },
        action: { do: 'partition', from: 'w1', to: 'w0', forMs: 2500 },
      },
      {
        when: { point: 'exchanging', count: 2 + 2 * at },
        action: { do: 'partition', from: 'w2', to: 'w0', forMs: 2500 },
      },
    ]);
    expect(finished(results)).toBe(true);
  });

  it('H17: a slot that kills whoever computes it stops the run by name', () => {
    const deaths = Array.from({ length: 3 }, (_, i) => killed('hit', { point: 'computing', count: 4 + i }));
    const result = simulate({
      seed: 3,
      shape: { ...SHAPE, workers: 1, target: 1, slots: 4, slotMs: [40] },
      faults: deaths,
    });
    expect(result.violation).toBeNull();
    expect(result.ending).toMatch(/finished|slot \d of step \d was being computed by three workers/);
  });

  it('H20: a replaying cluster meets workers that are ahead: they end the replay, nothing wrong is adopted', () => {
    const results = schedules({ workers: 2, target: 2, slots: 4, slotMs: [30, 30], workersMin: 2 }, (at) => [
      { when: { point: 'applying', count: 5 + at }, action: { do: 'isolate', host: 'w0', forMs: 1500 } },
      killed('w1', { point: 'applying', count: 6 + at }),
      killed('leader', { point: 'applying', count: 6 + at }),
    ]);
    expect(finished(results)).toBe(true);
  });
});
