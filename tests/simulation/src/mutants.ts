import type { RedisMutants } from './stores/redis-data.js';

/** Faults that are built into the fakes, one at a time, to see whether the simulator finds them (PROTOCOL section 8). */
export interface Mutants extends RedisMutants {
  /** The leader takes Hellos of workers that obey a higher term, and workers obey lower terms. */
  readonly noTermCheck?: boolean;
  /** A new leader does not raise its number above what entries and manifests name. */
  readonly noRaise?: boolean;
  /** Streams of the accumulator are not ended when it changes. */
  readonly streamsGoOn?: boolean;
  /** Workers keep their accumulator whatever Welcome says. */
  readonly noKeepRule?: boolean;
  /** Recovery does not look into Redis. */
  readonly headWithoutRedis?: boolean;
  /** Recovery does not look at what workers hold. */
  readonly nextWithoutWorkers?: boolean;
  /** Recovery does not look into the ledgers of workers. */
  readonly headWithoutWorkers?: boolean;
  /** The verdict on a step looks at what this leader has seen, not at the ledger. */
  readonly verdictFromMemory?: boolean;
  /** A copying shadow takes every part for one of the step that it asked for. */
  readonly untaggedRanges?: boolean;
  /** Exchanges are numbered from 1 at every step. */
  readonly attemptPerStep?: boolean;
  /** The count check of sums is off. */
  readonly noCountCheck?: boolean;
  /** Linear digests are not compared. */
  readonly noDigestCheck?: boolean;
}

type Mutant = keyof Mutants;

const ALL: Readonly<Record<Mutant, true>> = {
  noFence: true,
  noNextStep: true,
  noTermCheck: true,
  noRaise: true,
  streamsGoOn: true,
  noKeepRule: true,
  headWithoutRedis: true,
  nextWithoutWorkers: true,
  headWithoutWorkers: true,
  verdictFromMemory: true,
  untaggedRanges: true,
  attemptPerStep: true,
  noCountCheck: true,
  noDigestCheck: true,
};

export const MUTANTS = Object.keys(ALL) as readonly Mutant[];

/** Throws for a name that is none. */
export function mutantsOf(names: readonly string[]): Mutants {
  const isMutant = (name: string): name is Mutant => name in ALL;
  return Object.fromEntries(
    names.map((name) => {
      if (!isMutant(name)) throw new Error(`there is no mutant ${name}; there are ${MUTANTS.join(', ')}`);
      return [name, true];
    }),
  );
}
