// Schedules for what chance reaches too seldom: each is a family, in which a number picks the timing. Without a mutant
// all of them hold, as those of scheduleOf do.
import type { Fault } from './fault.js';
import type { ClusterShape } from './schedule.js';

export interface Targeted {
  readonly shape: Partial<ClusterShape>;
  readonly faults: readonly Fault[];
}

const PLAIN: Partial<ClusterShape> = {
  ...{ workers: 3, target: 3, coordinators: 2, numParts: 3, endStep: 6 },
  ...{ checkpointEverySteps: 3, validationEverySteps: 0, workersMin: 1, recomputeFraction: 0 },
  ...{ onLoss: 'salvage', anomalies: null },
};

/**
 * Redis forgets everything and the leader cannot reach it, so that it believes in its lease while another leads. The
 * workers begin anew under the other; that one dies, and they come to the first with the other's term.
 */
function twoLeaders(at: number): Targeted {
  const [first, second] = at % 2 === 0 ? ['c0', 'c1'] : ['c1', 'c0'];
  const ms = 40 + 10 * (at % 40);
  const faults: Fault[] = [
    { when: { ms }, action: { do: 'redis', comeback: 'empty', downMs: 20 } },
    { when: { ms }, action: { do: 'partition', from: first, to: 'redis', forMs: 1500 } },
    { when: { ms }, action: { do: 'partition', from: 'redis', to: first, forMs: 1500 } },
    ...['w0', 'w1', 'w2'].map((who): Fault => ({ when: { ms: ms + 5 }, action: { do: 'kill', who } })),
    { when: { point: 'worker <- welcome', count: 4 + (at % 3) }, action: { do: 'kill', who: second } },
  ];
  return { shape: { ...PLAIN, slots: 6, slotMs: [40, 40, 40] }, faults };
}

const SLOTS = 12;

/**
 * Two members wait for each other's sums behind a slow link when the third one dies, whose sum they have already. They
 * are granted its slots (more than fit at once, so that the next Exchange takes a while) before the link is back.
 */
function grantWhileStreaming(at: number): Targeted {
  const step = 1 + (at % 3);
  const [from, to] = at % 2 === 0 ? ['w1', 'w2'] : ['w2', 'w1'];
  const faults: Fault[] = [
    {
      when: { point: 'leader -> exchange', count: 3 * step + 1 },
      action: { do: 'partition', from, to, forMs: 60 + 5 * (at % 30) },
    },
    { when: { point: 'leader <- slotDone', count: SLOTS * (step + 1) }, action: { do: 'kill', who: 'w0' } },
  ];
  return { shape: { ...PLAIN, slots: SLOTS, slotMs: [20, 40, 40] }, faults };
}

/** Before the first checkpoint the leader, Redis and ledger.jsonl are lost at once; the workers hold it all. */
function workersAlone(at: number): Targeted {
  const faults: Fault[] = [
    {
      when: { point: 'leader <- applied', count: 3 + (at % 12) },
      action: { do: 'all-but-workers', downMs: 50 + 20 * (at % 20) },
    },
  ];
  return { shape: { ...PLAIN, checkpointEverySteps: 20, slots: 6, slotMs: [20, 30, 40] }, faults };
}

export const TARGETED: Readonly<Record<string, (at: number) => Targeted>> = {
  twoLeaders,
  grantWhileStreaming,
  workersAlone,
};

/** Throws for a name that is none. */
export function targetedOf(name: string, at: number): Targeted {
  const family = TARGETED[name];
  if (family === undefined)
    throw new Error(`there is no schedule ${name}; there are ${Object.keys(TARGETED).join(', ')}`);
  return family(at);
}
