// What happens to the leader, and what it wants done. The shell turns messages into events and carries out effects
// in order.
import type { WorkerId } from '@cria/runtime';
import type {
  AttemptMark,
  Desired,
  Ending,
  EntryDigests,
  PreparedGradient,
  WorkerRole,
} from './leader-state.js';

/** What a worker says of itself when it connects. */
export interface HelloFacts {
  readonly worker: WorkerId;
  readonly address: string;
  readonly device: string;
  readonly host: string;
  readonly pid: number;
  readonly runId: string;
  readonly genesis: string;
  readonly fingerprint: string;
  readonly position: number;
  readonly empty: boolean;
  readonly stateDigest: string;
  /** Of the chain of entries that its state has gone through. */
  readonly mathHash: string;
  /** Slots of step `position` in its accumulator, finished ones and those still computed. */
  readonly has: readonly number[];
  readonly running: readonly number[];
  /** Slots of step `position` that it has computed without adding them. */
  readonly spares: ReadonlyArray<{ readonly slot: number; readonly digest: string }>;
  readonly reduced: PreparedGradient | null;
  /** The newest void Exchange that it obeyed. */
  readonly newestVoid: AttemptMark | null;
  /** Steps of the ledger that it keeps: from the first to before the end. */
  readonly entriesFirst: number;
  readonly entriesEnd: number;
  /** Newest leadership that it obeyed; 0 and empty for none. */
  readonly termNumber: number;
  readonly termLeader: string;
  readonly seat: string;
}

export type LeaderEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'hello'; readonly hello: HelloFacts }
  /** `position` when a heartbeat told it. */
  | { readonly kind: 'contact'; readonly worker: WorkerId; readonly position?: number }
  | {
      readonly kind: 'slot-done';
      readonly worker: WorkerId;
      readonly step: number;
      readonly slot: number;
      readonly computeMs: number;
      /** Nothing was added: a second computation. */
      readonly spare: boolean;
      readonly flagged: boolean;
      readonly digest: string;
    }
  | { readonly kind: 'released'; readonly worker: WorkerId; readonly step: number; readonly slot: number }
  | {
      readonly kind: 'prepared';
      readonly worker: WorkerId;
      readonly attempt: number;
      readonly gradient: PreparedGradient;
    }
  | {
      readonly kind: 'blocked';
      readonly worker: WorkerId;
      readonly attempt: number;
      readonly peer: WorkerId | null;
      readonly slots: readonly number[];
      readonly why: string;
    }
  | {
      readonly kind: 'applied';
      readonly worker: WorkerId;
      readonly step: number;
      readonly stateDigest: string;
    }
  | {
      readonly kind: 'evaluated';
      readonly worker: WorkerId;
      readonly step: number;
      readonly sequences: ReadonlyArray<{ readonly index: number; readonly lossBits: number }>;
    }
  | { readonly kind: 'leave'; readonly worker: WorkerId; readonly why: string }
  | { readonly kind: 'disconnected'; readonly worker: WorkerId; readonly why: string }
  | { readonly kind: 'appended'; readonly step: number; readonly outcome: AppendOutcome }
  | { readonly kind: 'desired'; readonly desired: Desired }
  /** All that are taken now, new or not. */
  | { readonly kind: 'invitations-taken'; readonly seats: readonly string[] }
  /** `fetch-entries` is over; `end` is the step after the newest entry that verifies. */
  | { readonly kind: 'entries-fetched'; readonly worker: WorkerId; readonly end: number }
  | { readonly kind: 'checkpoint-written'; readonly step: number }
  | { readonly kind: 'checkpoint-failed'; readonly step: number; readonly why: string };

export type AppendOutcome =
  | {
      readonly kind: 'committed';
      readonly entry: EntryDigests;
      readonly verdict: 'use' | 'skip' | 'stop';
      /** The entry was there before: the step was replayed. */
      readonly replayed: boolean;
    }
  | { readonly kind: 'diverged'; readonly why: string }
  | { readonly kind: 'step-down'; readonly why: string };

export type NoteKind =
  | 'worker-joined'
  | 'worker-shadow'
  | 'worker-left'
  | 'worker-lost'
  | 'worker-evicted'
  | 'exchange-repeated'
  | 'step-replayed'
  | 'checkpoint-started'
  | 'checkpoint-failed'
  | 'scaled'
  | 'run-paused'
  | 'run-unpaused'
  | 'waiting'
  | 'damage-found';

export type LeaderEffect =
  | {
      readonly do: 'welcome';
      readonly worker: WorkerId;
      readonly role: WorkerRole;
      readonly step: number;
      readonly keep: readonly number[];
      readonly donors: readonly WorkerId[];
    }
  /** The tokens are attached by the shell. */
  | {
      readonly do: 'grant';
      readonly worker: WorkerId;
      readonly step: number;
      readonly slots: readonly number[];
      /** To be computed without adding anything. */
      readonly spares: readonly number[];
    }
  | { readonly do: 'release'; readonly worker: WorkerId; readonly step: number; readonly slot: number }
  | {
      readonly do: 'evaluate';
      readonly worker: WorkerId;
      readonly step: number;
      readonly indices: readonly number[];
    }
  | {
      readonly do: 'exchange';
      /** Members and shadows: all who are to hear of it. */
      readonly to: readonly WorkerId[];
      readonly step: number;
      readonly attempt: number;
      readonly sets: ReadonlyArray<{ readonly worker: WorkerId; readonly slots: readonly number[] }>;
      readonly from: readonly WorkerId[];
      readonly void: boolean;
    }
  /** Compose the entry from the prepared gradient, append it (or compare it, below the head), answer `appended`. */
  | {
      readonly do: 'append';
      readonly step: number;
      readonly attempt: number;
      readonly gradient: PreparedGradient;
      readonly members: ReadonlyArray<{ readonly worker: WorkerId; readonly slots: readonly number[] }>;
      /** Slots that were computed twice, with the same result. */
      readonly recomputed: readonly number[];
    }
  /** Send the entry of `step`; `stripes` is the checkpoint order of state[step + 1]. */
  | {
      readonly do: 'commit';
      readonly to: readonly WorkerId[];
      readonly step: number;
      readonly stripes: StripeOrder;
    }
  /** Keep the stripes of state[step], those who have one, and read the state again. */
  | {
      readonly do: 'store';
      readonly to: readonly WorkerId[];
      readonly step: number;
      readonly stripes: StripeOrder;
    }
  /** Pull the stripes of state[step] and write the checkpoint. */
  | { readonly do: 'pull-checkpoint'; readonly step: number; readonly stripes: StripeOrder }
  | { readonly do: 'abandon-checkpoint'; readonly step: number }
  /** Fetch the worker's ledger entries from this step on, for the next leadership; answered by `entries-fetched`. */
  | { readonly do: 'fetch-entries'; readonly worker: WorkerId; readonly from: number }
  | { readonly do: 'evict'; readonly worker: WorkerId; readonly why: string; readonly mayReturn: boolean }
  | { readonly do: 'seats'; readonly waiting: number }
  /** A step is through; what it cost is known now. */
  | {
      readonly do: 'measured';
      readonly step: number;
      readonly stepMs: number;
      readonly attempts: number;
      readonly lostMs: number;
      readonly members: number;
    }
  | { readonly do: 'validated'; readonly step: number; readonly lossBits: ReadonlyArray<number | null> }
  | { readonly do: 'note'; readonly kind: NoteKind; readonly worker: WorkerId | null; readonly text: string }
  | { readonly do: 'finish'; readonly ending: Ending; readonly reason: string }
  /** The next term must be at least `termAtLeast`. */
  | { readonly do: 'step-down'; readonly why: string; readonly termAtLeast: number };

export type StripeOrder = ReadonlyArray<{
  readonly worker: WorkerId;
  readonly firstPart: number;
  readonly endPart: number;
}>;
