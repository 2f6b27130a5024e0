// Who is hit when, at random but repeatably: the same seed and the same processes give the same blows. Pure: the shell
// (chaos/chaos.ts) reads the clock, looks at the run and signals.
import type { Rng } from '@cria/runtime';

export type ChaosTarget = 'workers' | 'leader' | 'redis';

/** A process of the run on this machine. */
export interface ChaosProcess {
  readonly target: ChaosTarget;
  /** For people: the worker's or coordinator's id, or `redis`. */
  readonly name: string;
  readonly pid: number;
}

/** Milliseconds until the next blow: exponential, so that blows also come close together. */
export function pauseBefore(rng: Rng, everyMs: number): number {
  return rng.exponential(everyMs);
}

/** First a kind of process that is there, then one of the kind; null when there is none of the wanted kinds. */
export function chooseVictim(
  rng: Rng,
  targets: readonly ChaosTarget[],
  processes: readonly ChaosProcess[],
): ChaosProcess | null {
  const kinds = targets.filter((target) => processes.some((one) => one.target === target));
  const kind = kinds[rng.below(kinds.length)];
  const candidates = processes.filter((one) => one.target === kind);
  return candidates[rng.below(candidates.length)] ?? null;
}
