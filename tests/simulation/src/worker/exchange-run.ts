// One Exchange from a member's side: reduce the parts it owns, copy all others, check the whole
// (libs/collective/src/exchange/exchange-run.ts).
import type { Endpoint } from '@cria/protocol';
import type { Cluster } from '../cluster.js';
import { add } from '../model/hash.js';
import { encodeReport, gradDigest, gradNormOf, type Report, type Shape } from '../model/mathematics.js';
import { Abort, Aborted, all, forEachLimited, sleep, wait, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import type { ExchangeEvent, ExchangeOrder, ExchangeOutcome } from './exchange-order.js';
import type { Memory } from './memory.js';
import { pullPart, PullError, type Content, type PeerPart, type PeerSource } from './peer.js';
import type { ReducedStore } from './reduced-store.js';
import type { SlotRegistry } from './slot-registry.js';

export interface RunContext {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly shape: Shape;
  readonly memory: Memory;
  readonly registry: SlotRegistry;
  readonly reduced: ReducedStore;
  readonly source: PeerSource;
  readonly emit: (event: ExchangeEvent) => void;
}

const PARTS_IN_FLIGHT = 2;
const RETRY_MS = 200;

/** Ends the run: what went wrong was said in an event. */
class FinallyBlocked extends Error {}

type BlockedEvent = Extract<ExchangeEvent, { kind: 'blocked' }>;

export class ExchangeRun {
  readonly #context: RunContext;
  readonly #order: ExchangeOrder;
  readonly #superseded: Abort;
  /** Ends the pulls: superseded, or nobody waits for them any more. */
  readonly #end = new Abort();
  readonly #complaints = new Set<string>();

  constructor(context: RunContext, order: ExchangeOrder, superseded: Abort) {
    this.#context = context;
    this.#order = order;
    this.#superseded = superseded;
    superseded.onAbort(() => this.#end.abort(superseded.why));
  }

  *run(): Task<ExchangeOutcome> {
    const { reduced, shape, workerId } = this.#context;
    reduced.begin(this.#order.step, shape.numParts + 1);
    try {
      const ownIndex = this.#order.sets.findIndex((set) => set.worker === workerId);
      const copiesAll = this.#order.shadow || ownIndex < 0 || this.#order.from.length > 0;
      yield* copiesAll ? this.#copyAll() : this.#reduceAndCopy(ownIndex);
      return this.#prepare();
    } catch (error) {
      if (error instanceof FinallyBlocked) return { kind: 'blocked', why: error.message };
      if (this.#superseded.aborted) return { kind: 'superseded', why: this.#superseded.why };
      throw error;
    } finally {
      this.#end.abort('this exchange is over');
    }
  }

  *#reduceAndCopy(ownIndex: number): Task {
    const { process } = this.#context;
    const { sets } = this.#order;
    const reducing = forEachLimited(process, this.#partsOf(ownIndex), PARTS_IN_FLIGHT, (part) =>
      this.#reducePart(part, ownIndex),
    );
    const copying = sets.flatMap((set, index) => {
      if (index === ownIndex) return [];
      const peer = { id: set.worker, address: set.address };
      return [
        forEachLimited(process, this.#partsOf(index), PARTS_IN_FLIGHT, (part) =>
          this.#copyPart(part, [peer]),
        ),
      ];
    });
    yield* all(process, [reducing, ...copying]);
  }

  *#copyAll(): Task {
    const { process, shape } = this.#context;
    const owners = this.#order.sets.map((set) => ({ id: set.worker, address: set.address }));
    const { from } = this.#order;
    const sources: readonly Endpoint[] = from.length > 0 ? from : owners;
    const parts = Array.from({ length: shape.numParts + 1 }, (_, part) => part);
    yield* forEachLimited(process, parts, PARTS_IN_FLIGHT * sources.length, (part) => {
      const first = part % sources.length;
      const inTurn = [...sources.slice(first), ...sources.slice(0, first)];
      return this.#copyPart(part, from.length > 0 ? inTurn : inTurn.slice(0, 1));
    });
  }

  *#reducePart(part: number, ownIndex: number): Task {
    const { process, registry, source, workerId } = this.#context;
    const set = this.#order.sets[ownIndex]?.slots ?? [];
    const others = this.#order.sets.filter((_, index) => index !== ownIndex);
    const shares = yield* all(
      process,
      others.map((member) => this.#pullShare(member, part)),
    );
    while (!registry.isReady(this.#order.step, set)) yield* wait(process, source.change.next(), this.#end);
    for (;;) {
      this.#end.throwIfAborted();
      const result = this.#reduce(part, set, shares);
      if ('sum' in result) return this.#store(part, result.sum);
      this.#complain({ peer: result.peer, part, why: result.why });
      yield* sleep(process, RETRY_MS, this.#end);
      const again = others.findIndex((member) => member.worker === result.peer);
      const member = others[again];
      if (member !== undefined) shares[again] = yield* this.#pullShare(member, part);
      else if (result.peer === workerId || result.peer === '') throw new FinallyBlocked(result.why);
    }
  }

  #reduce(
    part: number,
    set: readonly number[],
    shares: readonly PeerPart[],
  ): { sum: PeerPart } | { peer: string; why: string } {
    const { registry, memory, shape, workerId, cluster } = this.#context;
    if (part === shape.numParts) return { sum: this.#reduceReport(set, shares) };
    const own = set.length === 0 ? null : memory.accumulated(part);
    const checks = !cluster.mutants.noDigestCheck;
    let value = own?.value ?? 0;
    let digest = own === null ? 0 : registry.partDigest(set, part);
    const counts = own?.counts.slice() ?? new Array<number>(shape.slots).fill(0);
    if (checks && own !== null && own.value !== digest) {
      return { peer: workerId, why: `the accumulator does not match its digest in part ${part}` };
    }
    for (const share of shares) {
      const sender = this.#order.sets.find((other) => other.slots === share.slots)?.worker ?? '';
      if (checks && share.value !== share.digest) {
        return { peer: sender, why: `its values of part ${part} do not match their digest` };
      }
      value = add(value, share.value);
      digest = add(digest, share.digest);
      share.counts.forEach((count, slot) => (counts[slot] = (counts[slot] ?? 0) + count));
    }
    return {
      sum: {
        kind: 'part',
        value,
        counts,
        losses: [],
        digests: [],
        digest: value,
        position: this.#order.step,
        slots: [],
      },
    };
  }

  #reduceReport(set: readonly number[], shares: readonly PeerPart[]): PeerPart {
    const own = this.#context.registry.report(set);
    const counts = [...own.counts];
    const losses = [...own.losses];
    const digests = [...own.digests];
    for (const share of shares) {
      share.counts.forEach((count, slot) => (counts[slot] = (counts[slot] ?? 0) + count));
      share.losses.forEach((loss, slot) => (losses[slot] = ((losses[slot] ?? 0) + loss) & 0xff));
      share.digests.forEach((digest, slot) => (digests[slot] = add(digests[slot] ?? 0, digest)));
    }
    return {
      kind: 'part',
      value: 0,
      counts,
      losses,
      digests,
      digest: 0,
      position: this.#order.step,
      slots: [],
    };
  }

  *#pullShare(
    member: { worker: string; address: string; slots: readonly number[] },
    part: number,
  ): Task<PeerPart> {
    for (;;) {
      const pulled = yield* this.#tryPull({ id: member.worker, address: member.address }, 'acc', part);
      if (pulled === null) continue;
      if (sameSlots(pulled.slots, member.slots)) return { ...pulled, slots: member.slots };
      const why = `it serves slots [${pulled.slots.join(',')}], its set is [${member.slots.join(',')}]`;
      this.#complain({ peer: member.worker, part, slots: pulled.slots, why });
      yield* sleep(this.#context.process, RETRY_MS, this.#end);
    }
  }

  *#copyPart(part: number, sources: readonly Endpoint[]): Task {
    for (let turn = 0; ; turn++) {
      const pulled = yield* this.#tryPull(sources[turn % sources.length] as Endpoint, 'reduced', part);
      if (pulled !== null) return this.#store(part, pulled);
    }
  }

  #store(part: number, reduced: PeerPart): void {
    this.#context.reduced.put(part, reduced);
    this.#context.source.change.notify();
  }

  #prepare(): ExchangeOutcome {
    const { reduced, shape, cluster, workerId } = this.#context;
    const { step, attempt } = this.#order;
    const parts = Array.from({ length: shape.numParts + 1 }, (_, part) => reduced.get(step, part));
    const last = parts[shape.numParts];
    const { counts = [], losses = [], digests = [] } = last ?? {};
    const report: Report = { counts, losses, digests };
    const wrong = report.counts.flatMap((count, slot) => (count === 1 ? [] : [slot]));
    if (wrong.length > 0 && !cluster.mutants.noCountCheck) {
      const why = wrong.map((slot) => `slot ${slot} is in the sum ${report.counts[slot]} times`).join(', ');
      throw this.#finally({ slots: wrong, why });
    }
    const sums = parts.slice(0, shape.numParts).map((part) => part?.value ?? 0);
    cluster.invariants.reduced(workerId, { step, attempt, sums, parts: parts.slice(0, shape.numParts) });
    const digest = gradDigest(sums);
    const sum = { step, gradDigest: digest, gradNorm: gradNormOf(sums), report: encodeReport(report) };
    return { kind: 'prepared', sum };
  }

  *#tryPull(peer: Endpoint, content: Content, part: number): Task<PeerPart | null> {
    const { cluster, process, workerId } = this.#context;
    const { term, step, attempt } = this.#order;
    const request = { to: peer.id, from: workerId, term, step, attempt, content, part };
    try {
      return yield* pullPart(cluster, process, request, {
        address: peer.address,
        stallMs: cluster.timeouts.suspectMs,
        abort: this.#end,
      });
    } catch (error) {
      if (this.#end.aborted || error instanceof Aborted) throw error;
      if (!(error instanceof PullError)) throw error;
      // Nobody will tell a listener how it goes on: it says Hello.
      if (error.failure === 'stale' && this.#order.shadow) throw new FinallyBlocked(error.message);
      if (error.failure !== 'stale') this.#complain({ peer: peer.id, part, why: error.message });
      yield* sleep(process, RETRY_MS, this.#end);
      return null;
    }
  }

  #partsOf(index: number): number[] {
    const parts: number[] = [];
    for (let part = index; part <= this.#context.shape.numParts; part += this.#order.sets.length)
      parts.push(part);
    return parts;
  }

  /** Says it once per peer. */
  #complain(details: Partial<BlockedEvent> & { readonly why: string }): void {
    const event: BlockedEvent = {
      ...{
        kind: 'blocked',
        term: this.#order.term,
        attempt: this.#order.attempt,
        peer: '',
        slots: [],
        part: 0,
      },
      ...details,
    };
    const key = `${event.slots.length > 0 ? 'slot' : 'peer'} ${event.peer}`;
    if (this.#complaints.has(key)) return;
    this.#complaints.add(key);
    this.#context.emit(event);
  }

  #finally(details: Partial<BlockedEvent> & { readonly why: string }): FinallyBlocked {
    this.#complain(details);
    return new FinallyBlocked(details.why);
  }
}

function sameSlots(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && b.every((slot) => a.includes(slot));
}
