// What a server of parts needs to know: for each request, what to say now.
import type { FetchRequest } from '@cria/protocol';

/** Bytes of a part and what its header says about them. The bytes must not change while they are sent. */
export interface AvailablePart {
  readonly kind: 'part';
  readonly bytes: Uint8Array;
  readonly digest: bigint;
  readonly position: number;
  /** Slots that are in it (ACC). */
  readonly slots: readonly number[];
  /** Called once the last byte was handed to the transport. */
  readonly onSent?: () => void;
  /** Called when the bytes are not read any more, sent or not. */
  readonly onDone?: () => void;
}

export type PartAnswer =
  | AvailablePart
  /** It will come: the stream stays open and says so from time to time. */
  | { readonly kind: 'wait' }
  /** Not known here yet: the caller asks again soon. */
  | { readonly kind: 'not-yet'; readonly reason: string }
  /** Never: another run or process, or no such part. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No more: the term or attempt is over. Nobody's fault; the caller's leader will say how it goes on. */
  | { readonly kind: 'stale'; readonly reason: string };

export interface PartSource {
  answer(request: FetchRequest): PartAnswer;
  /** Resolves when an answer of `wait` or `not-yet` may have become another. */
  changed(): Promise<void>;
}

/**
 * Sees every frame before it is sent and may change its bytes or wait: fault injection in tests.
 * Nothing in production passes one.
 */
export type FrameTap = (frame: Buffer, request: FetchRequest) => void | Promise<void>;
