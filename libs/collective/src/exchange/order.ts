// What the leader orders and what came of it.
import type { Endpoint, MemberSet, Term } from '@cria/protocol';

/** One Exchange, named for ever by (term, attempt). */
export interface ExchangeOrder {
  readonly term: Term;
  readonly attempt: number;
  readonly step: number;
  /** The members in the order that gives them their parts; disjoint slots, together all. */
  readonly sets: readonly MemberSet[];
  /** Members that have prepared the step: whoever has not copies from them. Empty: reduce anew. */
  readonly from: readonly Endpoint[];
  /** Drop a gradient of this step that was reduced before. */
  readonly isVoid: boolean;
  /** Listens only: owns nothing, serves nothing, copies every reduced part. */
  readonly shadow: boolean;
}

/** What Prepare says. */
export interface Prepared {
  readonly kind: 'prepared';
  readonly term: Term;
  readonly attempt: number;
  readonly step: number;
  /** L of the whole integer sum, 16 hexadecimal digits. */
  readonly gradDigest: string;
  /** Bits of the f64 L2 norm of the mean gradient, 16 hexadecimal digits, and the number itself. */
  readonly gradNormBits: string;
  readonly gradNorm: number;
  /** The encoded report part of the whole sum. */
  readonly report: Uint8Array;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Time in which the exchange waited for others rather than computed. */
  readonly waitMs: number;
  readonly exchangeMs: number;
}

export type ExchangeOutcome =
  | Prepared
  /** A newer order or `endStreams` took its place, or its deadline passed. */
  | { readonly kind: 'superseded'; readonly why: string }
  /** It cannot succeed: a `blocked` event said why. */
  | { readonly kind: 'blocked'; readonly why: string };

/** A complaint for the leader. */
export interface BlockedEvent {
  readonly kind: 'blocked';
  readonly term: Term;
  readonly attempt: number;
  readonly about: 'peer' | 'slot' | 'part';
  /** The member accused; empty when nobody can be named. */
  readonly peer: string;
  readonly slots: readonly number[];
  readonly part: number;
  readonly why: string;
}

export type ExchangeEvent =
  | BlockedEvent
  /** A bad frame that a second pull may mend: for the log. */
  | { readonly kind: 'damaged'; readonly peer: string; readonly part: number; readonly why: string }
  /** This process's slots are not those of its set: it says Hello. */
  | {
      readonly kind: 'wrong-set';
      readonly term: Term;
      readonly attempt: number;
      readonly has: readonly number[];
    }
  /** All kept parts of the state at `position` were pulled. */
  | { readonly kind: 'stripe-pulled'; readonly position: number };

/** Whether (term, attempt) `a` comes after `b`. Terms of one number have one leader. */
export function isNewer(a: { term: Term; attempt: number }, b: { term: Term; attempt: number }): boolean {
  return a.term.number > b.term.number || (a.term.number === b.term.number && a.attempt > b.attempt);
}

/** Whether two name the same Exchange. */
export function isSameExchange(
  a: { term: Term; attempt: number },
  b: { term: Term; attempt: number },
): boolean {
  return a.term.number === b.term.number && a.term.leader === b.term.leader && a.attempt === b.attempt;
}
