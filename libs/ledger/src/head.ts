// The head is the longest chain that verifies among all copies that can be reached (PROTOCOL section
// 2): no copy is the truth, each only proves what its hashes prove. A copy may begin in the middle
// (Redis is cut one manifest back, a worker holds its last entries); it counts when its first entry
// follows a place that something else vouches for: the genesis, a manifest, or a copy already verified.
// Mathematics outranks the story: entries that follow by mathHash but not by opsHash (their holder
// listened to two leaders around a loss) are kept and sealed anew as `recovered`.
import { linkFault, mathFollows, pointAfter, seal, type ChainPoint } from './chain.js';
import type { LedgerEntry } from './entry.js';
import { verifyChain } from './verify.js';

/** One party's copy of the ledger or of its newest part, in order of steps. */
export interface LedgerCopy {
  /** Who holds it, for messages: `redis`, `ledger.jsonl`, `worker 3f2a`. */
  readonly source: string;
  readonly entries: readonly LedgerEntry[];
}

/** A place that somebody vouches for, such as a verified manifest. */
export interface Anchor extends ChainPoint {
  readonly source: string;
}

/** A copy that was not used, or only up to `firstBadStep`. */
export interface RejectedCopy {
  readonly source: string;
  readonly firstBadStep: number;
  readonly reason: string;
}

/** Two copies that verify and disagree about the mathematics: one of two machines computed something else. */
export interface Divergence {
  readonly step: number;
  readonly sources: readonly [string, string];
  readonly mathHashes: readonly [string, string];
}

export type HeadChoice =
  | {
      readonly kind: 'head';
      readonly head: ChainPoint;
      /** Whose chain ends at the head: a copy or an anchor. */
      readonly source: string;
      /** Entries up to the head without a gap, as far back as the copies go. */
      readonly entries: readonly LedgerEntry[];
      readonly rejected: readonly RejectedCopy[];
      /** First step at which two copies tell another story of the same mathematics (opsHash), or null. */
      readonly opsForkStep: number | null;
      /** First step that had to be sealed anew, because only its mathematics follows; null as a rule. */
      readonly resealedFrom: number | null;
    }
  | {
      readonly kind: 'diverged';
      readonly divergence: Divergence;
      readonly rejected: readonly RejectedCopy[];
    };

/** A run of entries that verifies, from the place before it on. */
interface Segment {
  readonly source: string;
  readonly from: ChainPoint;
  readonly entries: readonly LedgerEntry[];
  readonly head: ChainPoint;
}

/**
 * The longest chain that verifies. Of several equally long ones that of the highest term is taken.
 *
 * @param anchors the run's genesis point first, then manifests; a manifest ahead of every copy is itself the head
 */
export function longestVerified(
  copies: readonly LedgerCopy[],
  anchors: readonly [Anchor, ...Anchor[]],
): HeadChoice {
  const { segments, loose, rejected } = verifySegments(copies, anchors);
  const divergence = firstDifference([...segments, ...loose], (point) => point.mathHash);
  if (divergence !== null) return { kind: 'diverged', divergence, rejected };
  const best = segments.reduce((longest, segment) => (isBetter(segment, longest) ? segment : longest));
  const tail = tailBeyond(best, copies);
  return {
    kind: 'head',
    head: tail.head,
    source: tail.entries.length > 0 ? tail.source : best.source,
    entries: [...entriesUpTo(best, segments), ...tail.entries],
    rejected,
    opsForkStep: firstDifference(segments, (point) => point.opsHash)?.step ?? null,
    resealedFrom: tail.resealedFrom,
  };
}

/** Step after the newest entry of a copy that follows `head`; that after `head` when none does. */
export function verifiedEnd(copy: LedgerCopy, head: ChainPoint): number {
  const choice = longestVerified([copy], [{ ...head, source: 'head' }]);
  return (choice.kind === 'head' ? choice.head.step : head.step) + 1;
}

/**
 * Anchors become segments without entries, so that everything below knows one kind of thing. A copy
 * that nothing vouches for, but that holds together in itself, is no candidate for the head; it is
 * kept as `loose` to be compared: damage does not leave a chain that verifies, other mathematics does.
 */
function verifySegments(
  copies: readonly LedgerCopy[],
  anchors: readonly Anchor[],
): { segments: Segment[]; loose: Segment[]; rejected: RejectedCopy[] } {
  const segments: Segment[] = anchors.map(({ source, step, mathHash, opsHash }) => {
    const point = { step, mathHash, opsHash };
    return { source, from: point, entries: [], head: point };
  });
  const loose: Segment[] = [];
  const rejected: RejectedCopy[] = [];
  for (const copy of [...copies].sort((a, b) => firstStep(a) - firstStep(b))) {
    const [first, ...rest] = copy.entries;
    if (first === undefined) continue;
    const anchor = anchorFor(copy.source, first, segments);
    if ('reason' in anchor) {
      rejected.push({ source: copy.source, firstBadStep: first.math.step, reason: anchor.reason });
      const segment = verifiedPart({ source: copy.source, entries: rest }, pointAfter(first)).segment;
      if (segment.entries.length > 0) loose.push(segment);
      continue;
    }
    const { segment, rejection } = verifiedPart(copy, anchor.point);
    segments.push(segment);
    if (rejection !== null) rejected.push(rejection);
  }
  return { segments, loose, rejected };
}

function verifiedPart(
  { source, entries }: LedgerCopy,
  from: ChainPoint,
): { segment: Segment; rejection: RejectedCopy | null } {
  const { head, firstBadStep, reason } = verifyChain(from, entries);
  const segment = { source, from, entries: entries.slice(0, head.step - from.step), head };
  const rejection = firstBadStep === null ? null : { source, firstBadStep, reason: reason ?? '' };
  return { segment, rejection };
}

const firstStep = (copy: LedgerCopy): number => copy.entries[0]?.math.step ?? -1;

/** The vouched-for place that the copy's first entry follows. */
function anchorFor(
  source: string,
  first: LedgerEntry,
  segments: readonly Segment[],
): { point: ChainPoint } | { reason: string } {
  let reason = `nothing vouches for the place before step ${first.math.step} where ${source} begins`;
  for (const segment of segments) {
    const point = pointAt(segment, first.math.step - 1);
    if (point === null) continue;
    const fault = linkFault(point, first);
    if (fault === null) return { point };
    reason = `${fault} (as ${segment.source} has it)`;
  }
  return { reason };
}

/** The segment's place after `step`, or null where it does not reach. */
function pointAt(segment: Segment, step: number): ChainPoint | null {
  if (step === segment.from.step) return segment.from;
  const entry = segment.entries[step - segment.from.step - 1];
  return entry === undefined ? null : pointAfter(entry);
}

/** The earliest step about which two segments differ. Chains that differ once differ for ever after. */
function firstDifference(
  segments: readonly Segment[],
  hashOf: (point: ChainPoint) => string,
): Divergence | null {
  let earliest: Divergence | null = null;
  for (const [i, left] of segments.entries()) {
    for (const right of segments.slice(i + 1)) {
      const found = pairDifference(left, right, hashOf);
      if (found !== null && (earliest === null || found.step < earliest.step)) earliest = found;
    }
  }
  return earliest;
}

function pairDifference(
  left: Segment,
  right: Segment,
  hashOf: (point: ChainPoint) => string,
): Divergence | null {
  let low = Math.max(left.from.step, right.from.step);
  const last = Math.min(left.head.step, right.head.step);
  const hashesAt = (step: number): [string, string] | null => {
    const points = [pointAt(left, step), pointAt(right, step)] as const;
    return points[0] === null || points[1] === null ? null : [hashOf(points[0]), hashOf(points[1])];
  };
  const differAt = (step: number): boolean => {
    const hashes = hashesAt(step);
    return hashes !== null && hashes[0] !== hashes[1];
  };
  if (low > last || !differAt(last)) return null;
  for (let high = last; low < high;) {
    const middle = Math.floor((low + high) / 2);
    if (differAt(middle)) high = middle;
    else low = middle + 1;
  }
  const hashes = hashesAt(low);
  return hashes && { step: low, sources: [left.source, right.source], mathHashes: hashes };
}

function isBetter(candidate: Segment, than: Segment): boolean {
  if (candidate.head.step !== than.head.step) return candidate.head.step > than.head.step;
  if (candidate.head.opsHash === than.head.opsHash) return candidate.entries.length > than.entries.length;
  return isLaterTerm(candidate.entries.at(-1), than.entries.at(-1));
}

function isLaterTerm(candidate: LedgerEntry | undefined, than: LedgerEntry | undefined): boolean {
  if (candidate === undefined || than === undefined) return candidate !== undefined;
  const [a, b] = [candidate.ops.term, than.ops.term];
  return a.number !== b.number ? a.number > b.number : a.leader > b.leader;
}

/** The best segment's entries with all that other segments hold of the same two chains before it. */
function entriesUpTo(best: Segment, segments: readonly Segment[]): readonly LedgerEntry[] {
  const pieces: Array<readonly LedgerEntry[]> = [best.entries];
  let from = best.from;
  for (;;) {
    const earlier = segments.find(
      (segment) => segment.from.step < from.step && pointAt(segment, from.step)?.opsHash === from.opsHash,
    );
    if (earlier === undefined) return pieces.reverse().flat();
    pieces.push(earlier.entries.slice(0, from.step - earlier.from.step));
    from = earlier.from;
  }
}

interface Tail {
  readonly source: string;
  readonly entries: readonly LedgerEntry[];
  readonly head: ChainPoint;
  readonly resealedFrom: number | null;
}

/**
 * What the copies hold beyond the best segment: behind damaged entries, or of another story (see
 * above). An entry is sealed anew only where no copy holds one that follows as it is.
 */
function tailBeyond(best: Segment, copies: readonly LedgerCopy[]): Tail {
  let tail: Tail = { source: best.source, entries: [], head: best.head, resealedFrom: null };
  for (;;) {
    const { head, resealedFrom } = tail;
    const next =
      longestRun(copies, (copy) => followingRun(head, copy)) ??
      longestRun(copies, (copy) => resealedRun(head, copy, resealedFrom ?? head.step + 1));
    if (next === null) return tail;
    tail = {
      ...next,
      entries: [...tail.entries, ...next.entries],
      resealedFrom: resealedFrom ?? next.resealedFrom,
    };
  }
}

function longestRun(copies: readonly LedgerCopy[], runOf: (copy: LedgerCopy) => Tail): Tail | null {
  let longest: Tail | null = null;
  for (const copy of copies) {
    const run = runOf(copy);
    if (run.entries.length > (longest?.entries.length ?? 0)) longest = run;
  }
  return longest;
}

function followingRun(from: ChainPoint, { source, entries }: LedgerCopy): Tail {
  const beyond = entries.filter((entry) => entry.math.step > from.step);
  const { head } = verifyChain(from, beyond);
  return { source, entries: beyond.slice(0, head.step - from.step), head, resealedFrom: null };
}

/** Entries whose mathematics follows, in a new ops chain; the one of step `recoveredAt` says so. */
function resealedRun(from: ChainPoint, { source, entries }: LedgerCopy, recoveredAt: number): Tail {
  const resealed: LedgerEntry[] = [];
  let head = from;
  for (const entry of entries) {
    if (entry.math.step <= head.step) continue;
    if (!mathFollows(head, entry)) break;
    const isFirst = entry.math.step === recoveredAt;
    const sealed = seal(head, entry.math, isFirst ? { ...entry.ops, recovered: true } : entry.ops);
    resealed.push(sealed);
    head = pointAfter(sealed);
  }
  return { source, entries: resealed, head, resealedFrom: recoveredAt };
}
