// What this process says to a Fetch: which run and process, which term and attempt, and whether the bytes are there.
import type { StepTail } from '@cria/runtime';
import { Content } from '@cria/protocol';
import type { FetchRequest } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import { partCount } from '@cria/kernels';
import type { Change } from '../wire/change.js';
import type { PartAnswer, PartSource } from '../wire/part-source.js';
import { ledgerPart } from './ledger-lines.js';
import type { ExchangeOrder } from './order.js';
import { isNewer, isSameExchange } from './order.js';
import type { PartReducer } from './part-reducer.js';
import type { ReducedStore } from './reduced-store.js';
import type { ExchangeSettings } from './settings.js';
import type { SharedRooms } from './shared-rooms.js';
import type { SlotRegistry } from './slot-registry.js';
import type { StateKeeper } from './state-keeper.js';

/** Everything that can be asked for; null where this process was not configured yet. */
export interface Served {
  readonly settings: ExchangeSettings;
  readonly registry: SlotRegistry;
  readonly reducer: PartReducer;
  readonly reduced: ReducedStore;
  readonly rooms: SharedRooms;
  readonly keeper: StateKeeper;
  /** Ledger lines by step. */
  readonly ledger: StepTail<string>;
  readonly kernels: Kernels;
  /** The newest Exchange, and whether the accumulator is served under it. */
  readonly newest: { readonly order: ExchangeOrder; readonly servesAccumulator: boolean } | null;
}

export class NodeSource implements PartSource {
  readonly #served: () => Served | null;
  readonly #change: Change;

  constructor(served: () => Served | null, change: Change) {
    this.#served = served;
    this.#change = change;
  }

  changed(): Promise<void> {
    return this.#change.next();
  }

  answer(request: FetchRequest): PartAnswer {
    const served = this.#served();
    if (served === null) return notYet('this process serves no run yet');
    const { runId, workerId } = served.settings;
    if (request.runId !== runId) return refused(`this is run ${runId}, not ${request.runId}`);
    if (request.to !== workerId) return refused(`this is ${workerId}, not ${request.to}`);
    switch (request.content) {
      case Content.CONTENT_ACC:
        return this.#underExchange(served, request, (order) => accumulatorPart(served, order, request.part));
      case Content.CONTENT_REDUCED:
        return (
          reducedUnderAnyAttempt(served, request) ??
          this.#underExchange(served, request, () => reducedPart(served, request))
        );
      case Content.CONTENT_STATE:
        return isStale(served, request) ?? served.keeper.answer(request.part, request.step);
      case Content.CONTENT_LEDGER:
        return isStale(served, request) ?? ledgerPart(served.ledger, request.part);
      default:
        return refused(`there is no content ${request.content}`);
    }
  }

  /** Sums are served under the newest Exchange only: an older one may hold other slots. */
  #underExchange(
    { newest }: Served,
    request: FetchRequest,
    answer: (order: ExchangeOrder) => PartAnswer,
  ): PartAnswer {
    if (request.term === undefined) return refused('the request has no term');
    const asked = { term: request.term, attempt: request.attempt };
    if (newest === null || isNewer(asked, newest.order)) return notYet('that attempt is not known here yet');
    const { term, attempt, step } = newest.order;
    if (!isSameExchange(asked, newest.order)) {
      return stale(`the newest exchange is term ${term.number} of ${term.leader}, attempt ${attempt}`);
    }
    if (request.step !== step) return stale(`attempt ${attempt} is about step ${step}`);
    return answer(newest.order);
  }
}

function accumulatorPart(served: Served, order: ExchangeOrder, part: number): PartAnswer {
  const { settings, registry, reducer, newest } = served;
  const parts = partCount(settings.state.params.length);
  const set = order.sets.find(({ worker }) => worker === settings.workerId)?.slots;
  if (set === undefined || order.shadow || part > parts) return refused('there is no such part here');
  if (newest?.servesAccumulator !== true) return stale('the accumulator has changed since');
  const foreign = registry.step === order.step ? registry.foreign(set) : [];
  if (foreign.length > 0) return stale(`slots ${foreign.join(', ')} are in it that are not in its set`);
  if (!registry.isReady(order.step, set, part)) return { kind: 'wait' };
  const common = { kind: 'part', position: order.step, slots: set } as const;
  if (part < parts) {
    const bytes = reducer.packOwn(part, set.length === 0);
    return { ...common, bytes, digest: registry.partDigest(set, part) };
  }
  const bytes = registry.report(set, settings.slots).encode();
  return { ...common, bytes, digest: served.kernels.digestWords(new Uint32Array(bytes.buffer), 0) };
}

/**
 * A part of a sum that is already here. A sum is the same in every attempt since the last void one, so a late listener
 * gets it although its step is over; null when it is not here (any more) or the attempt is not known yet.
 */
function reducedUnderAnyAttempt({ newest, reduced }: Served, request: FetchRequest): PartAnswer | null {
  const { term, attempt, part, step } = request;
  if (term === undefined || newest === null || isNewer({ term, attempt }, newest.order)) return null;
  const answer = servedSum(reduced, step, part);
  return answer.kind === 'part' ? answer : null;
}

function reducedPart({ reduced, settings }: Served, request: FetchRequest): PartAnswer {
  if (request.part > partCount(settings.state.params.length)) return refused('there is no such part');
  return servedSum(reduced, request.step, request.part);
}

function servedSum(reduced: ReducedStore, position: number, part: number): PartAnswer {
  const lent = reduced.lend(position, part);
  if (lent === null) return { kind: 'wait' };
  const { bytes, digest, giveBack } = lent;
  return { kind: 'part', bytes, digest, position, slots: [], onDone: giveBack };
}

function isStale({ newest }: Served, { term }: FetchRequest): PartAnswer | null {
  const known = newest?.order.term;
  if (term === undefined || known === undefined || term.number >= known.number) return null;
  return stale(`term ${term.number} is over: ${known.leader} leads in term ${known.number}`);
}

const refused = (reason: string): PartAnswer => ({ kind: 'refused', reason });
const stale = (reason: string): PartAnswer => ({ kind: 'stale', reason });
const notYet = (reason: string): PartAnswer => ({ kind: 'not-yet', reason });
