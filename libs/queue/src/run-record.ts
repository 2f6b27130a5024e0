// Who owns which run's name: the rules of PROTOCOL section 1 as pure functions. run-registry.ts applies their
// outcome to Redis in one atomic step, or not at all.
import type { RunId } from '@cria/runtime';

export type RunState = 'running' | 'finished' | 'stopped';

export interface RunRecord {
  readonly name: string;
  readonly id: RunId;
  readonly genesis: string;
  readonly state: RunState;
  /** When the run was first claimed, ms since the Unix epoch. */
  readonly sinceMs: number;
}

export interface ClaimRequest {
  readonly name: string;
  readonly genesis: string;
  /** The id if this becomes a new run; random, and the same when the claim is repeated. */
  readonly proposedId: RunId;
  /** `--resume`: the id of the run in the output directory. */
  readonly resumeId?: RunId;
  /** With `resumeId`: how many steps its ledger holds, should two runs want one name. */
  readonly steps?: number;
  readonly nowMs: number;
}

export type ClaimResult =
  /** The run was there already. */
  | { readonly kind: 'joined'; readonly record: RunRecord }
  /** The name is ours now; `replaced` is the finished run that had it. */
  | { readonly kind: 'claimed'; readonly record: RunRecord; readonly replaced: RunRecord | null }
  /** Resumed, but a run with more steps has the name; ours is `record.name` now. */
  | { readonly kind: 'renamed'; readonly record: RunRecord; readonly keeper: RunRecord }
  /** The name (or the resumed id) belongs to other mathematics. */
  | { readonly kind: 'mismatch'; readonly stored: RunRecord; readonly askedGenesis: string };

export type RefillResult =
  | { readonly kind: 'kept'; readonly record: RunRecord }
  | { readonly kind: 'took'; readonly record: RunRecord; readonly displaced: RunRecord }
  | { readonly kind: 'renamed'; readonly record: RunRecord; readonly keeper: RunRecord };

/** The records to write with what they lead to. */
export interface Decision<Result> {
  readonly result: Result;
  readonly writes: readonly RunRecord[];
}

export type Records = ReadonlyMap<string, RunRecord>;

/** Steps that a run's ledger in Redis holds. */
export type StepsOf = (id: RunId) => number;

/** What `cria up` or `cria coordinator` gets when it asks for a run. */
export function decideClaim(
  records: Records,
  stepsOf: StepsOf,
  request: ClaimRequest,
): Decision<ClaimResult> {
  if (request.resumeId !== undefined) return decideResume(records, stepsOf, request, request.resumeId);
  const stored = records.get(request.name) ?? null;
  if (stored === null || stored.state === 'finished') {
    const record = newRecord(request, request.proposedId);
    return { result: { kind: 'claimed', record, replaced: stored }, writes: [record] };
  }
  // The same claim again, its reply was lost.
  const isOurs = stored.id === request.proposedId;
  if (isOurs) return { result: { kind: 'claimed', record: stored, replaced: null }, writes: [] };
  return { result: joinOrMismatch(stored, request.genesis), writes: [] };
}

function decideResume(
  records: Records,
  stepsOf: StepsOf,
  request: ClaimRequest,
  resumeId: RunId,
): Decision<ClaimResult> {
  const stored = [...records.values()].find((record) => record.id === resumeId);
  if (stored !== undefined) return { result: joinOrMismatch(stored, request.genesis), writes: [] };
  const { result, writes } = decideRefill(records, stepsOf, {
    record: newRecord(request, resumeId),
    steps: request.steps ?? 0,
  });
  if (result.kind === 'renamed') return { result, writes };
  const replaced = records.get(request.name) ?? null;
  return { result: { kind: 'claimed', record: result.record, replaced }, writes };
}

function joinOrMismatch(stored: RunRecord, askedGenesis: string): ClaimResult {
  return stored.genesis === askedGenesis
    ? { kind: 'joined', record: stored }
    : { kind: 'mismatch', stored, askedGenesis };
}

/**
 * What a leader gets when it puts its run back after Redis lost it.
 *
 * @param mine the record as the leader knows it, and how many steps its ledger holds
 */
export function decideRefill(
  records: Records,
  stepsOf: StepsOf,
  mine: { record: RunRecord; steps: number },
): Decision<RefillResult> {
  const known = [...records.values()].find((record) => record.id === mine.record.id);
  // Under whatever name it goes by now: it was renamed before.
  if (known !== undefined) {
    const record = { ...known, sinceMs: Math.min(known.sinceMs, mine.record.sinceMs) };
    return { result: { kind: 'kept', record }, writes: [record] };
  }
  const rival = records.get(mine.record.name) ?? null;
  if (rival === null) return { result: { kind: 'kept', record: mine.record }, writes: [mine.record] };
  if (rival.state === 'finished') {
    return { result: { kind: 'took', record: mine.record, displaced: rival }, writes: [mine.record] };
  }
  if (isBefore(mine, { record: rival, steps: stepsOf(rival.id) })) {
    const displaced = { ...rival, name: freeName(records, rival.name) };
    return { result: { kind: 'took', record: mine.record, displaced }, writes: [mine.record, displaced] };
  }
  const record = { ...mine.record, name: freeName(records, mine.record.name) };
  return { result: { kind: 'renamed', record, keeper: rival }, writes: [record] };
}

interface Contender {
  readonly record: RunRecord;
  readonly steps: number;
}

/** More steps keep the name, then the earlier start, then the smaller id (so that both sides decide alike). */
function isBefore(a: Contender, b: Contender): boolean {
  if (a.steps !== b.steps) return a.steps > b.steps;
  if (a.record.sinceMs !== b.record.sinceMs) return a.record.sinceMs < b.record.sinceMs;
  return a.record.id < b.record.id;
}

/** `<name>-2`, or the next number that no run has. */
function freeName(records: Records, name: string): string {
  let suffix = 2;
  while (records.has(`${name}-${suffix}`)) suffix++;
  return `${name}-${suffix}`;
}

function newRecord(request: ClaimRequest, id: RunId): RunRecord {
  return { name: request.name, id, genesis: request.genesis, state: 'running', sinceMs: request.nowMs };
}
