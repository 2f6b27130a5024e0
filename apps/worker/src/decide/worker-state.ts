// What a worker knows of the step it is in. The state itself (weights, accumulator, reduced gradient) lies in shared
// memory; here is what is in it. Updated in place by decideWorker, touched by nothing else.
import type { Grant, Evaluate, Exchange, Commit, Store, Release } from '@cria/protocol';

export interface TermMark {
  readonly number: number;
  readonly leader: string;
}

export interface AttemptId extends TermMark {
  readonly attempt: number;
}

/** The reduced gradient of a step, as told to the leader by Prepare. */
export interface PreparedGradient {
  readonly step: number;
  readonly gradDigest: string;
  readonly gradNormBits: string;
  readonly stateDigest: string;
  readonly report: Uint8Array;
}

/** One that this worker holds, and the exchange that it comes from. */
export interface HeldGradient extends PreparedGradient {
  readonly reducedIn: AttemptId;
}

export interface SlotWork {
  readonly slot: number;
  readonly tokens: Uint8Array;
  /** Its digests are told; nothing is added. */
  readonly spare: boolean;
}

/**
 * What the state in shared memory is doing:
 * - `empty`: nothing there yet
 * - `making`: made from the seed, or loaded from a checkpoint
 * - `copying`: pulled from members while they go on (a shadow)
 * - `ready`: state[position], whole
 * - `applying`: on its way from position to position + 1
 */
export type StatePhase = 'empty' | 'making' | 'copying' | 'ready' | 'applying';

/** Messages about a step. */
export type StepMessage =
  | { readonly $case: 'grant'; readonly value: Grant }
  | { readonly $case: 'release'; readonly value: Release }
  | { readonly $case: 'evaluate'; readonly value: Evaluate }
  | { readonly $case: 'exchange'; readonly value: Exchange }
  | { readonly $case: 'commit'; readonly value: Commit }
  | { readonly $case: 'store'; readonly value: Store };

/** What a ledger entry means to whoever applies it. */
export interface EntryFacts {
  readonly step: number;
  readonly mathHash: string;
  readonly gradDigest: string;
  /** Whether the entry continues a state at `position` whose mathHash is given. A pure function. */
  followsFrom(position: number, mathHash: string): boolean;
}

/** A step message that waits, with the entry when it is a Commit. */
export interface DeferredMessage {
  readonly message: StepMessage;
  readonly entry: EntryFacts | null;
}

export interface WorkerState {
  readonly worker: string;
  phase: StatePhase;
  /** Steps applied. */
  position: number;
  /** mathHash of entry position - 1; the genesis at 0. */
  mathHash: string;
  /** The ledger's entries from this step to `position` are kept here. */
  entriesFirst: number;
  stateDigest: string;
  /** Newest leadership obeyed. */
  term: TermMark;
  connected: boolean;
  /** Welcomed under the present connection: step messages count from then on. */
  welcomed: boolean;
  /** Listens to exchanges without a share in them. */
  listensOnly: boolean;
  /** Finished slots in the accumulator. */
  readonly has: Set<number>;
  queue: SlotWork[];
  computing: { readonly slot: number; readonly spare: boolean } | null;
  /** L by part of slots of this step that were computed without being added. */
  readonly spares: Map<number, Uint8Array>;
  /** Raised when the accumulator is dropped: results of slots begun before are ignored. */
  generation: number;
  /** Generation since which the state is this one: slots begun before, also spares, say nothing of it. */
  stateGeneration: number;
  exchange: Exchange | null;
  /** The exchange thread is summing and has not answered. */
  exchangeRunning: boolean;
  reduced: HeldGradient | null;
  newestVoid: AttemptId | null;
  /** The entry being applied. */
  applying: {
    readonly step: number;
    readonly mathHash: string;
    readonly stripes: Commit['checkpoint'];
  } | null;
  deferred: DeferredMessage[];
  leaving: boolean;
  leaderHead: number;
}

export function newWorkerState(worker: string, genesis: string): WorkerState {
  return {
    worker,
    phase: 'empty',
    position: 0,
    mathHash: genesis,
    entriesFirst: 0,
    stateDigest: '',
    term: { number: 0, leader: '' },
    connected: false,
    welcomed: false,
    listensOnly: false,
    has: new Set(),
    queue: [],
    computing: null,
    spares: new Map(),
    generation: 0,
    stateGeneration: 0,
    exchange: null,
    exchangeRunning: false,
    reduced: null,
    newestVoid: null,
    applying: null,
    deferred: [],
    leaving: false,
    leaderHead: 0,
  };
}

/** Slots that are or will be in the accumulator, ascending. */
export function ownSlots(state: WorkerState): number[] {
  return [...state.has, ...runningSlots(state)].sort((a, b) => a - b);
}

/** Slots that are being added or wait for it. */
export function runningSlots({ computing, queue }: WorkerState): number[] {
  const begun = computing === null ? [] : [computing];
  return [...begun, ...queue].flatMap(({ slot, spare }) => (spare ? [] : [slot]));
}

/** (term, attempt) names one exchange for ever; attempts alone begin anew with each term. */
export function isSameExchange(
  exchange: Exchange | null,
  other: { readonly term?: TermMark | undefined; readonly attempt: number },
): boolean {
  return (
    exchange !== null &&
    exchange.attempt === other.attempt &&
    exchange.term?.number === other.term?.number &&
    exchange.term?.leader === other.term?.leader
  );
}
