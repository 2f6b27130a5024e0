// What the leader knows. All of it is volatile: a new leader asks the workers again (PROTOCOL section 5).
//
// The state belongs to whoever calls decideLeader, which updates it in place: copying the records of a thousand
// members at every message would cost more than the decisions. Nothing else may touch it.
import type { WorkerId } from '@cria/runtime';
import type { HelloFacts } from './leader-events.js';

/** The part of the run's configuration that decisions depend on. */
export interface LeaderRules {
  readonly runId: string;
  readonly genesis: string;
  readonly fingerprint: string;
  /** K: slots of a step. */
  readonly slots: number;
  /** Parts of the flat state, without the report part. */
  readonly numParts: number;
  /** Steps after which the run ends: the budget's, or fewer with `--steps`. */
  readonly endStep: number;
  readonly workersMin: number;
  readonly heartbeatMs: number;
  readonly suspectMs: number;
  readonly gatherMs: number;
  readonly blockedMs: number;
  readonly seatMs: number;
  readonly startWaitMs: number;
  /** A slot is taken from a straggler only if it would wait for so long: a round trip and a new exchange cost, too. */
  readonly releaseLeastMs: number;
  readonly checkpointEverySteps: number;
  /** 0 = no validation. */
  readonly validationEverySteps: number;
  readonly validationSequences: number;
  readonly onLoss: 'salvage' | 'discard';
  /** Share of slots that are computed twice. */
  readonly recomputeFraction: number;
}

export interface TermMark {
  readonly number: number;
  readonly leader: string;
}

export interface Desired {
  readonly revision: number;
  readonly target: number;
  readonly paused: boolean;
  readonly stop: boolean;
}

/**
 * - `member`: its state is that of the step under way; it gets slots.
 * - `shadow`: copies the state while it listens to exchanges; nobody waits for it.
 * - `load`: reads the newest checkpoint, whose step is the one under way.
 * - `wait`: is ahead of the step under way and is compared when the run gets there.
 */
export type WorkerRole = 'member' | 'shadow' | 'load' | 'wait';

/** Order of exchanges: terms rise, and attempts count through a term. */
export interface AttemptMark {
  readonly termNumber: number;
  readonly attempt: number;
}

/** What the ledger's entry of a step says: of state[step], of the step's sum, and where the chain is after it. */
export interface EntryDigests {
  readonly stateDigest: string;
  readonly gradDigest: string;
  readonly mathHash: string;
}

/** What a computation of a slot said, or what the sum says of it. */
export interface SlotFacts {
  /** L by part, in an encoding that can be compared. */
  readonly digest: string;
  readonly flagged: boolean;
}

/** A reduced gradient and what its holder found when it had it. */
export interface PreparedGradient {
  readonly step: number;
  /** The newest exchange that its holder says it for. */
  readonly mark: AttemptMark;
  readonly gradDigest: string;
  readonly gradNormBits: string;
  readonly stateDigest: string;
  readonly report: Uint8Array;
  /** Read from the report; a pure function. */
  readonly slotFacts: (slot: number) => SlotFacts;
}

/** A slot computed once more, adding nothing. */
export interface SpareRecord {
  readonly worker: WorkerId;
  /** L by part; null until it is answered. */
  digest: string | null;
}

export interface WorkerRecord {
  readonly id: WorkerId;
  readonly address: string;
  readonly device: string;
  readonly host: string;
  readonly pid: number;
  readonly joinedMs: number;
  role: WorkerRole;
  /** Steps applied. */
  position: number;
  /** Has no state yet (counts as position 0). */
  empty: boolean;
  /** A shadow whose state has reached the step under way; it becomes a member when the step is committed. */
  caughtUp: boolean;
  reduced: PreparedGradient | null;
  /** Digest that the worker reported when it had applied up to `position`. */
  appliedDigest: string | null;
  lastContactMs: number;
  /** Since when its heartbeats tell a lower position than the leader believes; null while they do not. */
  behindSinceMs: number | null;
  /** Since when it applies a step; null when it does not. */
  applyingSinceMs: number | null;
  /** Smoothed time from a Commit to its Applied; null before the first. */
  applyMs: number | null;
  /** When the slot that it computes now began, as far as the leader can tell. */
  busySinceMs: number;
  /** Smoothed time of a slot; null before the first. */
  slotMs: number | null;
  /** It has joined, and no slot of it has been found equal to another's: nothing of it is added. */
  isUnproven: boolean;
  /** How often running it was told to load the newest checkpoint and came back without a state. */
  failedLoads: number;
  /** Steps that it saw unproven. */
  unprovenSteps: number;
  /** Why it leaves at the end of the step (it said Leave, or the target fell); null while it stays. */
  leaving: string | null;
}

export type SlotRecord =
  | { readonly kind: 'open' }
  | { readonly kind: 'granted'; readonly worker: WorkerId; readonly sinceMs: number }
  | { readonly kind: 'done'; readonly worker: WorkerId };

export interface ExchangeRecord {
  readonly attempt: number;
  readonly sets: ReadonlyMap<WorkerId, readonly number[]>;
  /** Members that had prepared before: the others copy from them. */
  readonly from: readonly WorkerId[];
  /** Gradients reduced before must not be used. */
  readonly void: boolean;
  readonly startedMs: number;
}

export interface EvaluationRecord {
  /** Position at which the state is evaluated. */
  readonly step: number;
  /** Per validation sequence: who was asked last; null = nobody yet. */
  readonly asked: Array<WorkerId | null>;
  /** f32 bits of the loss; `lost` after two deaths. */
  readonly results: Array<number | 'lost' | null>;
  readonly deaths: number[];
}

export interface CheckpointRecord {
  readonly step: number;
  readonly stripes: ReadonlyArray<{
    readonly worker: WorkerId;
    readonly firstPart: number;
    readonly endPart: number;
  }>;
  /** Ordered by Store while nothing is computed, so it may be ordered again from other members. */
  readonly atRest: boolean;
  readonly orderedMs: number;
}

export interface Complaint {
  readonly accuser: WorkerId;
  readonly accused: WorkerId | null;
}

/** How the run ends once the checkpoint of `next` is there. */
export type Ending = 'finished' | 'stopped' | 'failed';

export interface LeaderState {
  readonly rules: LeaderRules;
  readonly term: TermMark;
  phase: 'gather' | 'run' | 'ended';
  /** When gathering ends at the latest. */
  gatherUntilMs: number;
  /** Until then a leader that found nobody waits for `target` workers before the first grant. */
  startWaitUntilMs: number;
  /** Step that the ledger expects next: entries 0 .. head-1 exist. */
  head: number;
  /** Step under way; below `head` it is a replay. */
  next: number;
  /** The ledger's entries that the leader still knows, by step. */
  readonly entries: Map<number, EntryDigests>;
  /** Workers whose ledger entries are on their way: the head may be further than this leader knows. */
  readonly fetching: Set<WorkerId>;
  readonly askedForEntries: Set<WorkerId>;
  /** Members of the newest entry: gathering ends early when all of them are back. */
  lastMembers: readonly WorkerId[];
  /** Step of the newest manifest; null when there is none. */
  manifestStep: number | null;
  desired: Desired;
  /** Changed by addWorker and removeWorker alone. */
  readonly workers: Map<WorkerId, WorkerRecord>;
  /** The same in the order of joining; null when somebody came or went since it was asked for. */
  byAge: readonly WorkerRecord[] | null;
  /** Newest Hello of each worker: what it kept is looked at when it is placed. */
  readonly hellos: Map<WorkerId, HelloFacts>;
  /** Invitations taken whose Hello has not come, with the time they were taken. */
  readonly invitations: Map<string, number>;
  /** Every seat that was taken, also those whose Hello has come: Redis may tell of them later. */
  readonly knownSeats: Set<string>;
  slots: SlotRecord[];
  /** What SlotDone said of the slots of this step. */
  readonly slotFacts: Map<number, SlotFacts>;
  /** Second and further computations of slots of this step, in the order asked. */
  readonly spares: Map<number, SpareRecord[]>;
  /** Slots whose second computation has to be there before the commit, beside the sampled ones. */
  readonly mustRecompute: Set<number>;
  /** Slots that were asked back. */
  readonly releasing: Set<number>;
  /** Slots, as step/slot, whose computations differed and nothing told who was wrong. */
  readonly disputed: Set<string>;
  /** Deaths of the slot's holders during this step. */
  slotDeaths: number[];
  stepStartedMs: number;
  /** Milliseconds of this step that went into work which was lost. */
  lostMs: number;
  attempt: number;
  attemptsThisStep: number;
  exchange: ExchangeRecord | null;
  readonly prepared: Map<WorkerId, PreparedGradient>;
  /** An append is under way; nothing else may happen to the step. */
  committing: boolean;
  /** The next Exchange must not use gradients that were reduced before. */
  voidNext: boolean;
  /** Sums of exchanges before this one are not to be trusted, whoever still holds them; null: there was none. */
  newestVoid: AttemptMark | null;
  /** Digest of the state of the step under way, once all members reported the same when they had applied. */
  agreedDigest: string | null;
  /** How often the digests of this step differed and nothing told who was wrong. */
  undecided: number;
  complaints: Complaint[];
  complaintsUntilMs: number;
  evaluation: EvaluationRecord | null;
  /** Newest position whose validation is done. */
  evaluatedStep: number;
  checkpoint: CheckpointRecord | null;
  checkpointFailures: number;
  /** None is ordered before, unless it is due by the configuration. */
  unplannedFromMs: number;
  /** One at rest is not ordered again before. */
  checkpointNotBeforeMs: number;
  seatsWaiting: number;
  /** Workers lost soon after they came, less the steps since. */
  flaps: number;
  /** Until then no seat is offered anew. */
  flapUntilMs: number;
  /** Set when the run ends with the step under way. */
  ending: Ending | null;
  failure: string;
  /** What the run waits for, for people. */
  waitingFor: string;
}

export function newLeaderState(options: {
  rules: LeaderRules;
  term: TermMark;
  nowMs: number;
  head: number;
  lastMembers: readonly WorkerId[];
  entries: ReadonlyMap<number, EntryDigests>;
  manifestStep: number | null;
  desired: Desired;
}): LeaderState {
  const { rules, term, nowMs, head, lastMembers, entries, manifestStep, desired } = options;
  return {
    rules,
    term,
    phase: 'gather',
    // Nothing was ever computed: there is nobody to wait for.
    gatherUntilMs: head === 0 && manifestStep === null ? nowMs : nowMs + rules.gatherMs,
    startWaitUntilMs: nowMs,
    head,
    next: head,
    entries: new Map(entries),
    fetching: new Set(),
    askedForEntries: new Set(),
    lastMembers,
    manifestStep,
    desired,
    workers: new Map(),
    byAge: null,
    hellos: new Map(),
    invitations: new Map(),
    knownSeats: new Set(),
    slots: openSlots(rules.slots),
    slotFacts: new Map(),
    spares: new Map(),
    mustRecompute: new Set(),
    releasing: new Set(),
    disputed: new Set(),
    slotDeaths: new Array<number>(rules.slots).fill(0),
    flaps: 0,
    flapUntilMs: 0,
    stepStartedMs: nowMs,
    lostMs: 0,
    attempt: 0,
    attemptsThisStep: 0,
    exchange: null,
    prepared: new Map(),
    committing: false,
    voidNext: false,
    newestVoid: null,
    agreedDigest: null,
    undecided: 0,
    complaints: [],
    complaintsUntilMs: 0,
    evaluation: null,
    evaluatedStep: -1,
    checkpoint: null,
    checkpointFailures: 0,
    unplannedFromMs: 0,
    checkpointNotBeforeMs: 0,
    seatsWaiting: -1,
    ending: null,
    failure: '',
    waitingFor: '',
  };
}

export function openSlots(count: number): SlotRecord[] {
  return Array.from({ length: count }, () => ({ kind: 'open' }) as const);
}

export function addWorker(state: LeaderState, record: WorkerRecord): void {
  state.workers.set(record.id, record);
  state.byAge = null;
}

/** @returns whether it was there */
export function removeWorker(state: LeaderState, worker: WorkerId): boolean {
  state.byAge = null;
  return state.workers.delete(worker);
}

/** What was computed for the step so far is forgotten, and its spares. */
export function forgetSlots(state: LeaderState): void {
  state.slots = openSlots(state.rules.slots);
  state.slotFacts.clear();
  state.spares.clear();
  state.mustRecompute.clear();
  state.releasing.clear();
}
