// What main thread and exchange thread say to each other. Calls have an id and one answer; events have neither.
import type { ErrorRecord } from '@cria/runtime';
import type { ExchangeEvent, ExchangeOrder, ExchangeOutcome } from '../exchange/order.js';
import type { HeldReduced } from '../exchange/reduced-store.js';
import type { ExchangeSettings } from '../exchange/settings.js';
import type { PassedParts } from '../exchange/slot-registry.js';
import type { ArrivedPart, StatePullOrder } from '../exchange/state-pull.js';
import type { SlotResult } from '../report/report-part.js';

/**
 * Fault injection in tests: a module whose `createTap(data)` returns a FrameTap. Functions cannot be posted to a
 * thread, so the thread imports it.
 */
export interface TapModule {
  readonly url: string;
  readonly data: unknown;
}

export interface StartOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly token?: string;
  readonly tap?: TapModule;
}

/** Every call: its argument and its answer. */
export interface ThreadCalls {
  start: { argument: StartOptions; answer: string };
  configure: { argument: ExchangeSettings; answer: void };
  resetSlots: { argument: { step: number }; answer: void };
  partsPassed: { argument: PassedParts; answer: void };
  slotDone: { argument: { step: number; result: SlotResult }; answer: void };
  begin: { argument: ExchangeOrder; answer: ExchangeOutcome };
  endStreams: { argument: null; answer: void };
  holdReduced: { argument: { step: number }; answer: HeldReduced | null };
  releaseReduced: { argument: { hold: number }; answer: void };
  dropReduced: { argument: { step: number }; answer: void };
  pullState: { argument: StatePullOrder; answer: ArrivedPart[] };
  cancelPull: { argument: { call: number }; answer: void };
  preserve: { argument: { position: number; parts: readonly number[] }; answer: void };
  secureStripe: { argument: null; answer: void };
  releaseStripe: { argument: null; answer: void };
  keepEntry: { argument: { step: number; line: string }; answer: void };
  dropEntries: { argument: { before: number }; answer: void };
  stop: { argument: null; answer: void };
}

export type CallName = keyof ThreadCalls;

export type ToThread = {
  [Name in CallName]: {
    readonly id: number;
    readonly name: Name;
    readonly argument: ThreadCalls[Name]['argument'];
  };
}[CallName];

export type FromThread =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorRecord }
  | { readonly kind: 'event'; readonly event: ExchangeEvent };
