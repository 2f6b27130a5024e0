import type { Endpoint, MemberSet } from '@cria/protocol';
import type { SimTerm } from '../stores/redis-data.js';
import type { PreparedSum } from './reduced-store.js';

export interface ExchangeOrder {
  readonly term: SimTerm;
  readonly attempt: number;
  readonly step: number;
  readonly sets: readonly MemberSet[];
  readonly from: readonly Endpoint[];
  readonly isVoid: boolean;
  readonly shadow: boolean;
}

export type ExchangeOutcome =
  | { readonly kind: 'prepared'; readonly sum: PreparedSum }
  | { readonly kind: 'superseded' | 'blocked'; readonly why: string };

export type ExchangeEvent =
  | {
      readonly kind: 'blocked';
      readonly term: SimTerm;
      readonly attempt: number;
      readonly peer: string;
      readonly slots: readonly number[];
      readonly part: number;
      readonly why: string;
    }
  | { readonly kind: 'wrong-set'; readonly term: SimTerm; readonly attempt: number }
  | { readonly kind: 'stripe-pulled'; readonly position: number };

export function isNewer(
  a: { term: SimTerm; attempt: number },
  b: { term: SimTerm; attempt: number },
): boolean {
  return a.term.number > b.term.number || (a.term.number === b.term.number && a.attempt > b.attempt);
}

export function isSameExchange(
  a: { term: SimTerm; attempt: number },
  b: { term: SimTerm; attempt: number },
): boolean {
  return a.term.number === b.term.number && a.term.leader === b.term.leader && a.attempt === b.attempt;
}
