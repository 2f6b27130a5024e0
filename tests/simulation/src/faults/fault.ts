// What can go wrong, and when. A schedule is a list of faults; everything else follows from the seed.
import type { Comeback } from '../stores/fake-redis.js';

/** At a time, or when a named point is reached for the count-th time. */
export type When = { readonly ms: number } | { readonly point: string; readonly count: number };

export type FaultAction =
  /** SIGKILL. `who`: a worker's or coordinator's place, `leader`, or `hit`: whoever reached the point. */
  | { readonly do: 'kill'; readonly who: string }
  /** SIGSTOP, then SIGCONT. */
  | { readonly do: 'freeze'; readonly who: string; readonly forMs: number }
  | { readonly do: 'redis'; readonly comeback: Comeback; readonly downMs: number }
  /** Leader and Redis at once. */
  | { readonly do: 'leader-and-redis'; readonly comeback: Comeback; readonly downMs: number }
  /** Leader, Redis and the directory with ledger.jsonl at once: what was committed only workers know. */
  | { readonly do: 'all-but-workers'; readonly downMs: number }
  /** One direction only; `*` is every host. */
  | { readonly do: 'partition'; readonly from: string; readonly to: string; readonly forMs: number }
  | { readonly do: 'isolate'; readonly host: string; readonly forMs: number }
  | { readonly do: 'slow'; readonly host: string; readonly forMs: number; readonly addMs: number }
  | { readonly do: 'scale'; readonly target: number }
  | { readonly do: 'pause'; readonly forMs: number }
  /** SIGTERM to a worker or a coordinator. */
  | { readonly do: 'leave'; readonly who: string }
  /** The newest checkpoint no longer verifies. */
  | { readonly do: 'damage-checkpoint' }
  /** A bit turns over in a worker, or it computes wrongly once. */
  | { readonly do: 'flip'; readonly who: string; readonly where: Damage; readonly part: number };

/** In the state or the accumulator; a slot's gradient or the optimizer's update computed wrongly. */
export type Damage = 'state' | 'accumulator' | 'slot' | 'update';

export interface Fault {
  readonly when: When;
  readonly action: FaultAction;
}

export function describeFault({ when, action }: Fault): string {
  const at = 'ms' in when ? `at ${when.ms} ms` : `at "${when.point}" no. ${when.count}`;
  return `${at}: ${JSON.stringify(action)}`;
}
