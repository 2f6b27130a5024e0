// One Exchange from this member's side: reduce the parts it owns, copy all others, check the whole.
import { setMaxListeners } from 'node:events';
import { Content } from '@cria/protocol';
import type { Endpoint, FetchRequest } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import { addChunks, BLOCK_SIZE, meanScale, partCount, partRange, SQUARE_CHUNK_SIZE } from '@cria/kernels';
import type { Clock } from '@cria/runtime';
import { CriaError, sleep } from '@cria/runtime';
import { ownedParts, sameSlots } from '../plan/exchange-plan.js';
import { ReportPart } from '../report/report-part.js';
import type { Change } from '../wire/change.js';
import type { PulledPart } from '../wire/part-receiver.js';
import type { PeerClient } from '../wire/peer-client.js';
import { forEachLimited } from '../wire/limited.js';
import type { BlockedEvent, ExchangeEvent, ExchangeOrder, ExchangeOutcome } from './order.js';
import type { Contribution, PartReducer } from './part-reducer.js';
import type { ReducedPart, ReducedStore } from './reduced-store.js';
import type { ExchangeSettings } from './settings.js';
import type { SharedRooms } from './shared-rooms.js';
import type { SlotRegistry } from './slot-registry.js';

/** Parts pulled at a time from one peer, each for reducing and for copying. */
const PARTS_IN_FLIGHT = 2;

/** What a run of one Exchange works with; the node owns it. */
export interface RunContext {
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly client: PeerClient;
  readonly settings: ExchangeSettings;
  readonly registry: SlotRegistry;
  readonly reducer: PartReducer;
  readonly reduced: ReducedStore;
  readonly rooms: SharedRooms;
  /** Notified whenever a slot is done or a part reduced. */
  readonly change: Change;
  readonly emit: (event: ExchangeEvent) => void;
}

/** Ends the run: what went wrong was said in an event. */
class FinallyBlocked extends Error {}

export class ExchangeRun {
  readonly order: ExchangeOrder;
  readonly #context: RunContext;
  readonly #superseded: AbortSignal;
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  readonly #parts: number;
  readonly #squares: Float64Array;
  readonly #mean: Float32Array;
  readonly #complaints = new Set<string>();
  readonly #failures = new Map<string, number>();
  #busyMs = 0;

  constructor(context: RunContext, order: ExchangeOrder, signal: AbortSignal) {
    this.order = order;
    this.#context = context;
    this.#superseded = signal;
    this.#signal = AbortSignal.any([signal, this.#end.signal]);
    setMaxListeners(0, this.#signal); // one for every pull under way
    const length = context.settings.state.params.length;
    this.#parts = partCount(length);
    this.#squares = new Float64Array(Math.ceil(length / SQUARE_CHUNK_SIZE));
    this.#mean = new Float32Array(partRange(0, length).to);
  }

  /** Never rejects for what peers do: complaints are events, and the pulls go on until the signal aborts. */
  async run(): Promise<ExchangeOutcome> {
    const startMs = this.#context.clock.monotonicMs();
    const { settings } = this.#context;
    this.#context.reduced.begin(this.order.step, this.#parts + 1);
    try {
      const ownIndex = this.order.sets.findIndex((set) => set.worker === settings.workerId);
      const copiesAll = this.order.shadow || ownIndex < 0 || this.order.from.length > 0;
      await (copiesAll ? this.#copyAll() : this.#reduceAndCopy(ownIndex));
      return this.#prepare(startMs);
    } catch (error) {
      if (error instanceof FinallyBlocked) return { kind: 'blocked', why: error.message };
      if (this.#superseded.aborted) return { kind: 'superseded', why: String(this.#superseded.reason) };
      throw error;
    } finally {
      this.#end.abort('this exchange is over'); // pulls that still run have nobody to wait for them
    }
  }

  async #reduceAndCopy(ownIndex: number): Promise<void> {
    const members = this.order.sets.length;
    const own = ownedParts(ownIndex, members, this.#parts + 1);
    const reducing = forEachLimited(own, PARTS_IN_FLIGHT, (part) => this.#reducePart(part, ownIndex));
    const copying = this.order.sets.map((set, index) => {
      if (index === ownIndex) return Promise.resolve();
      const theirs = ownedParts(index, members, this.#parts + 1);
      const peer = { id: set.worker, address: set.address };
      return forEachLimited(theirs, PARTS_IN_FLIGHT, (part) => this.#copyPart(part, [peer]));
    });
    await Promise.all([reducing, ...copying]);
  }

  /** Copies every part: from the prepared members in turn, else from each part's owner. */
  async #copyAll(): Promise<void> {
    const { order } = this;
    const owners = order.sets.map((set) => ({ id: set.worker, address: set.address }));
    const sources: readonly Endpoint[] = order.from.length > 0 ? order.from : owners;
    const all = Array.from({ length: this.#parts + 1 }, (_, part) => part);
    await forEachLimited(all, PARTS_IN_FLIGHT * sources.length, (part) => {
      const first = part % sources.length;
      const inTurn = [...sources.slice(first), ...sources.slice(0, first)];
      return this.#copyPart(part, order.from.length > 0 ? inTurn : inTurn.slice(0, 1));
    });
  }

  async #reducePart(part: number, ownIndex: number): Promise<void> {
    const { settings, registry, change } = this.#context;
    const set = this.order.sets[ownIndex].slots;
    const others = this.order.sets.filter((_, index) => index !== ownIndex);
    const contributions = await Promise.all(others.map((member) => this.#pullShare(member, part)));
    while (!registry.isReady(this.order.step, set, part)) await this.#unlessAborted(change.next());
    for (;;) {
      await turnOfTheLoop(); // a long reduction leaves the server its turns
      this.#signal.throwIfAborted(); // from here to the result nothing else runs, so the accumulator stands still
      const own = set.length === 0 ? null : this.#ownShare(set, part);
      const result = this.#busy(() => this.#reduce(part, own, contributions));
      if (result.kind === 'reduced') return this.#store(part, result.part);
      this.#complain('peer', { peer: result.peer, part, why: result.why });
      await this.#pause();
      const again = others.findIndex((member) => member.worker === result.peer);
      if (again >= 0) contributions[again] = await this.#pullShare(others[again], part);
      else if (result.peer === settings.workerId || result.peer === '') throw new FinallyBlocked(result.why);
    }
  }

  #ownShare(set: readonly number[], part: number): { peer: string; digest: bigint } {
    return { peer: this.#context.settings.workerId, digest: this.#context.registry.partDigest(set, part) };
  }

  #reduce(
    part: number,
    own: { peer: string; digest: bigint } | null,
    others: readonly Contribution[],
  ): ReturnType<PartReducer['reduce']> {
    if (part < this.#parts) return this.#context.reducer.reduce(part, own, others);
    const { settings, registry } = this.#context;
    const set = this.order.sets.find(({ worker }) => worker === settings.workerId)?.slots ?? [];
    const report = registry.report(set, settings.slots);
    for (const { packed } of others) report.add(ReportPart.decode(packed, settings.slots, this.#parts));
    const encoded = report.encode();
    return { kind: 'reduced', part: { bytes: encoded, digest: this.#reportDigest(encoded) } };
  }

  /** Pulls a member's sum of a part until it is there, whole, and says that it holds that member's set. */
  async #pullShare(
    member: { worker: string; address: string; slots: readonly number[] },
    part: number,
  ): Promise<Contribution> {
    for (;;) {
      const pulled = await this.#tryPull(
        { id: member.worker, address: member.address },
        Content.CONTENT_ACC,
        part,
      );
      if (pulled === null) continue;
      const { slots, digest } = pulled.header;
      if (sameSlots(slots, member.slots)) return { peer: member.worker, packed: pulled.bytes, digest };
      const why = `it serves slots [${slots.join(',')}], its set is [${member.slots.join(',')}]`;
      this.#complain('slot', { peer: member.worker, part, slots, why });
      await this.#pause();
    }
  }

  /** Copies a reduced part from the first source that has it. */
  async #copyPart(part: number, sources: readonly Endpoint[]): Promise<void> {
    for (let turn = 0; ; turn++) {
      const source = sources[turn % sources.length] as Endpoint;
      const pulled = await this.#tryPull(source, Content.CONTENT_REDUCED, part);
      if (pulled === null) continue;
      const reduced = { bytes: pulled.bytes, digest: pulled.header.digest };
      const why = this.#busy(() => this.#whyDamaged(part, reduced));
      if (why === null) return this.#store(part, reduced);
      await this.#failed(source, part, new CriaError('PEER_DAMAGED', why));
    }
  }

  #whyDamaged(part: number, reduced: ReducedPart): string | null {
    const { kernels, settings } = this.#context;
    try {
      const { from, to } = partRange(part, settings.state.params.length);
      const digest =
        part < this.#parts
          ? kernels.packedDigest(reduced.bytes, from, to)
          : this.#reportDigest(ReportPart.decode(reduced.bytes, settings.slots, this.#parts).encode());
      return digest === reduced.digest ? null : `reduced part ${part} does not match its digest`;
    } catch (error) {
      return CriaError.from(error).message;
    }
  }

  #store(part: number, reduced: ReducedPart): void {
    const { kernels, settings } = this.#context;
    this.#context.reduced.put(part, reduced);
    this.#context.change.notify();
    if (part === this.#parts) return;
    this.#busy(() => {
      const { from, to } = partRange(part, settings.state.params.length);
      const mean = this.#mean.subarray(0, to - from);
      kernels.unpackMean(reduced.bytes, meanScale(settings.gridBits, settings.slots), mean);
      const chunk = from / SQUARE_CHUNK_SIZE;
      kernels.squareSum(
        mean,
        this.#squares.subarray(chunk, chunk + Math.ceil(mean.length / SQUARE_CHUNK_SIZE)),
      );
    });
  }

  /** Every count is 1 and L(sum) = sum of L, part by part; then the figures for Prepare. */
  #prepare(startMs: number): ExchangeOutcome {
    const { reduced, settings, client, clock } = this.#context;
    const { step, term, attempt } = this.order;
    const reportBytes = reduced.get(step, this.#parts)?.bytes ?? new Uint8Array(0);
    const report = ReportPart.decode(reportBytes, settings.slots, this.#parts);
    const wrong = report.wrongCounts();
    if (wrong.length > 0) {
      const why = wrong.map(({ slot, count }) => `slot ${slot} is in the sum ${count} times`).join(', ');
      throw this.#finally('slot', { slots: wrong.map(({ slot }) => slot), why });
    }
    const part = reduced.firstWrongPart(report);
    if (part !== null) {
      const why = `the sum of part ${part} is not that of the slots' own digests`;
      throw this.#finally('part', { part, why });
    }
    const gradNorm = Math.sqrt(addChunks(this.#squares));
    const exchangeMs = clock.monotonicMs() - startMs;
    return {
      ...{ kind: 'prepared', term, attempt, step, gradDigest: hex64(this.#gradDigest()) },
      ...{ gradNorm, gradNormBits: f64Bits(gradNorm), report: reportBytes },
      ...{ bytesReceived: client.bytesReceived, bytesSent: 0 },
      ...{ exchangeMs, waitMs: Math.max(0, exchangeMs - this.#busyMs) },
    };
  }

  #gradDigest(): bigint {
    let sum = 0n;
    for (let part = 0; part < this.#parts; part++) {
      sum += this.#context.reduced.get(this.order.step, part)?.digest ?? 0n;
    }
    return BigInt.asUintN(64, sum);
  }

  #reportDigest(bytes: Uint8Array): bigint {
    return this.#context.kernels.digestWords(
      new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
      0,
    );
  }

  /** One pull; null when it failed, after the complaint and a pause. Rejects only when the run is aborted. */
  async #tryPull(peer: Endpoint, content: Content, part: number): Promise<PulledPart | null> {
    const { client, settings, rooms } = this.#context;
    const room = (sizeBytes: number): Uint8Array => rooms.take(sizeBytes);
    try {
      return await client.pullPart(this.#request(peer, content, part), {
        address: peer.address,
        stallMs: settings.timings.stallMs,
        maxBytes: this.#maxBytes(part),
        signal: this.#signal,
        ...(content === Content.CONTENT_REDUCED && part < this.#parts ? { room } : {}),
      });
    } catch (error) {
      if (this.#signal.aborted) throw error;
      await this.#failed(peer, part, CriaError.from(error));
      return null;
    }
  }

  #request(peer: Endpoint, content: Content, part: number): FetchRequest {
    const { runId, workerId } = this.#context.settings;
    const { term, step, attempt } = this.order;
    return { runId, to: peer.id, term, step, attempt, content, part, offset: 0, from: workerId };
  }

  #maxBytes(part: number): number {
    const { settings } = this.#context;
    if (part === this.#parts) return ReportPart.sizeBytes(settings.slots, this.#parts);
    const { from, to } = partRange(part, settings.state.params.length);
    return (to - from) / BLOCK_SIZE + 8 * (to - from);
  }

  /** A first bad frame may have been the wire's fault: it is pulled again and only logged. */
  async #failed(peer: Endpoint, part: number, error: CriaError): Promise<void> {
    const key = `${peer.id} ${part} ${error.code}`;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    // A listener that is too late: the sum is gone, and nobody waits for it.
    if (error.code === 'TERM_STALE' && this.order.shadow) throw new FinallyBlocked(error.message);
    const isFirstDamage = error.code === 'PEER_DAMAGED' && failures === 1;
    if (isFirstDamage) {
      this.#context.emit({ kind: 'damaged', peer: peer.id, part, why: error.message });
    } else if (error.code !== 'TERM_STALE') {
      this.#complain('peer', { peer: peer.id, part, why: error.message });
    }
    await this.#pause();
  }

  /** Says it once per peer and kind. */
  #complain(about: BlockedEvent['about'], details: Partial<BlockedEvent> & { why: string }): void {
    const { term, attempt } = this.order;
    const event: BlockedEvent = {
      ...{ kind: 'blocked', term, attempt, about, peer: '', slots: [], part: 0 },
      ...details,
    };
    const key = `${about} ${event.peer}`;
    if (this.#complaints.has(key)) return;
    this.#complaints.add(key);
    this.#context.emit(event);
  }

  #finally(about: BlockedEvent['about'], details: Partial<BlockedEvent> & { why: string }): FinallyBlocked {
    this.#complain(about, details);
    return new FinallyBlocked(details.why);
  }

  #pause(): Promise<void> {
    return sleep(this.#context.clock, this.#context.settings.timings.retryMs, this.#signal);
  }

  #unlessAborted(promise: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(this.#signal.reason);
      if (this.#signal.aborted) return onAbort();
      this.#signal.addEventListener('abort', onAbort, { once: true });
      void promise.then(() => {
        this.#signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  #busy<T>(act: () => T): T {
    const { clock } = this.#context;
    const startMs = clock.monotonicMs();
    try {
      return act();
    } finally {
      this.#busyMs += clock.monotonicMs() - startMs;
    }
  }
}

const turnOfTheLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function hex64(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function f64Bits(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return hex64(view.getBigUint64(0));
}
