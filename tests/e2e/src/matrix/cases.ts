// The kill matrix: where a process stands, and who is killed meanwhile.
import type { PausePoint } from '../fault-points.js';

/**
 * - `self`: whoever stands there.
 * - `other`: a worker that does not (the owner of the part, the copying member, the donor, the joiner).
 */
export type Victim = 'self' | 'other' | 'leader' | 'redis';

export interface MatrixCase {
  readonly point: PausePoint;
  readonly victim: Victim;
}

/** What has to happen before anybody comes to the point. */
export const TRIGGERS: Partial<Record<PausePoint, 'leader dies' | 'worker joins'>> = {
  'lease-taken': 'leader dies',
  joining: 'worker joins',
  donating: 'worker joins',
};

const BY_LEADER: ReadonlyArray<readonly [PausePoint, readonly Victim[]]> = [
  ['lease-taken', ['self', 'other', 'redis']],
  ['appended', ['self', 'other', 'redis']],
  ['checkpointing', ['self', 'other', 'redis']],
];
const BY_WORKER: ReadonlyArray<readonly [PausePoint, readonly Victim[]]> = [
  ['mid-slot', ['self', 'other', 'leader', 'redis']],
  ['prepared', ['self', 'other', 'leader', 'redis']],
  ['applying', ['self', 'other', 'leader', 'redis']],
  ['storing', ['self', 'other', 'leader', 'redis']],
];
/** Only where there is somebody to exchange with. */
const BY_MEMBERS: typeof BY_WORKER = [
  ['reduce-scatter', ['self', 'other', 'leader', 'redis']],
  ['all-gather', ['self', 'other', 'leader', 'redis']],
];
const BY_JOINER: typeof BY_WORKER = [
  ['joining', ['self', 'other', 'leader', 'redis']],
  ['donating', ['self', 'other', 'leader', 'redis']],
];

/** Every combination that makes sense with so many workers. */
export function allCases(workers: number): MatrixCase[] {
  const isThere = ({ point, victim }: MatrixCase): boolean =>
    victim !== 'other' || workers > 1 || point in TRIGGERS || BY_LEADER.some(([own]) => own === point);
  return [...BY_LEADER, ...BY_WORKER, ...(workers > 1 ? BY_MEMBERS : []), ...BY_JOINER]
    .flatMap(([point, victims]) => victims.map((victim) => ({ point, victim })))
    .filter(isThere);
}

/** One for every point, every victim at least twice. */
export const FEW_CASES: readonly MatrixCase[] = [
  { point: 'mid-slot', victim: 'self' },
  { point: 'reduce-scatter', victim: 'other' },
  { point: 'all-gather', victim: 'self' },
  { point: 'prepared', victim: 'leader' },
  { point: 'appended', victim: 'self' },
  { point: 'appended', victim: 'redis' },
  { point: 'applying', victim: 'other' },
  { point: 'checkpointing', victim: 'self' },
  { point: 'joining', victim: 'self' },
  { point: 'donating', victim: 'redis' },
];

export function titleOf({ point, victim }: MatrixCase): string {
  return `${point}: ${victim}`;
}
