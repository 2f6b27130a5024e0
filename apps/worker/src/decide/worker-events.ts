import type {
  Commit,
  Evaluate,
  Exchange,
  ExchangeStats,
  FromLeader,
  FromWorker,
  SlotDone,
  Stripe,
  Welcome,
} from '@cria/protocol';
import type { EntryFacts, PreparedGradient, SlotWork, TermMark } from './worker-state.js';

export type LeaderMessage = NonNullable<FromLeader['message']>;
export type WorkerMessage = NonNullable<FromWorker['message']>;

export type WorkerEvent =
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected' }
  | { readonly kind: 'message'; readonly message: LeaderMessage; readonly entry: EntryFacts | null }
  | { readonly kind: 'slot-computed'; readonly generation: number; readonly done: SlotDone }
  | {
      readonly kind: 'reduced';
      readonly term: TermMark;
      readonly attempt: number;
      readonly gradient: PreparedGradient;
      readonly stats: ExchangeStats;
    }
  /** Ended without a sum and without a complaint: superseded. */
  | { readonly kind: 'exchange-ended'; readonly term: TermMark; readonly attempt: number }
  /** The accumulator does not hold the set that the Exchange names. */
  | { readonly kind: 'wrong-set'; readonly term: TermMark; readonly attempt: number }
  | {
      readonly kind: 'blocked';
      readonly term: TermMark;
      readonly attempt: number;
      readonly peer: string;
      readonly slots: readonly number[];
      readonly part: number;
      readonly why: string;
    }
  | { readonly kind: 'applied'; readonly position: number; readonly stateDigest: string }
  /** The state was made, loaded or copied and is state[position]. */
  | {
      readonly kind: 'state-ready';
      readonly position: number;
      readonly mathHash: string;
      readonly stateDigest: string;
    }
  /** The digest of the state as it is in memory now. */
  | { readonly kind: 'state-read'; readonly position: number; readonly stateDigest: string }
  | { readonly kind: 'state-failed'; readonly why: string }
  | { readonly kind: 'leave'; readonly why: string };

export type WorkerEffect =
  /** Composed by the shell from the state. */
  | { readonly do: 'hello'; readonly why: string }
  | { readonly do: 'send'; readonly message: WorkerMessage }
  | { readonly do: 'make-state' }
  | { readonly do: 'load-state'; readonly welcome: Welcome }
  | { readonly do: 'copy-state'; readonly welcome: Welcome }
  /** Ends all streams of the accumulator: what it will hold next is of the step under way. */
  | { readonly do: 'begin-accumulator' }
  /** `first` clears the accumulator. */
  | { readonly do: 'compute'; readonly work: SlotWork; readonly first: boolean; readonly generation: number }
  | { readonly do: 'drop-accumulator' }
  | { readonly do: 'evaluate'; readonly request: Evaluate }
  /** `isListener`: only all-gather. `isVoid`: a sum of this step that is here already does not count. */
  | {
      readonly do: 'exchange';
      readonly exchange: Exchange;
      readonly isListener: boolean;
      readonly isVoid: boolean;
    }
  | { readonly do: 'cancel-exchange' }
  | { readonly do: 'drop-reduced' }
  /** Ledger entries before this step are not kept any more. */
  | { readonly do: 'drop-entries'; readonly before: number }
  | { readonly do: 'apply'; readonly commit: Commit }
  /** A shadow that copies hears of a commit: its copy rolls forward with it. */
  | { readonly do: 'copy-commit'; readonly commit: Commit }
  | { readonly do: 'keep-stripes'; readonly step: number; readonly stripes: readonly Stripe[] }
  /** Answered by `state-read`. */
  | { readonly do: 'read-state' }
  | { readonly do: 'leave-run'; readonly why: string; readonly mayReturn: boolean };
