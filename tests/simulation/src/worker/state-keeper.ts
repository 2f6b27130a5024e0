// Serves parts of the state, and keeps what a checkpoint still needs (libs/collective/src/exchange/state-keeper.ts).
import type { Memory } from './memory.js';
import type { PeerAnswer } from './peer.js';

interface Stripe {
  readonly position: number;
  /** Parts not pulled yet, with their copy once one was made. */
  readonly waiting: Map<number, { value: number; position: number } | null>;
}

export class StateKeeper {
  readonly #memory: Memory;
  readonly #onPulled: (position: number) => void;
  #stripe: Stripe | null = null;

  constructor(memory: Memory, onPulled: (position: number) => void) {
    this.#memory = memory;
    this.#onPulled = onPulled;
  }

  preserve(position: number, parts: readonly number[]): void {
    this.#stripe = { position, waiting: new Map(parts.map((part) => [part, null])) };
    if (parts.length === 0) this.#onPulled(position);
  }

  secure(): void {
    if (this.#stripe === null) return;
    const { position, waiting } = this.#stripe;
    for (const [part, copy] of waiting) {
      if (copy !== null) continue;
      const live = this.#live(part);
      if (live === null) throw new Error(`part ${part} is copied before the step is applied`);
      if (live.position === position) waiting.set(part, live);
      else waiting.delete(part);
    }
  }

  answer(part: number, wantedPosition: number): PeerAnswer {
    const stripe = this.#stripe?.position === wantedPosition ? this.#stripe : null;
    const read = stripe?.waiting.get(part) ?? this.#live(part);
    if (read === null) return { kind: 'not-yet', reason: `part ${part} is being applied` };
    if (read.position < wantedPosition)
      return { kind: 'not-yet', reason: `part ${part} is at ${read.position}` };
    const isOfStripe = stripe !== null && stripe.waiting.has(part) && read.position === wantedPosition;
    const { value, position } = read;
    const common = {
      kind: 'part',
      value,
      position,
      counts: [],
      losses: [],
      digests: [],
      digest: value,
      slots: [],
    } as const;
    return isOfStripe ? { ...common, onSent: () => this.#sent(stripe, part) } : common;
  }

  #live(part: number): { value: number; position: number } | null {
    const live = this.#memory.parts[part];
    return live === undefined || live.applying || live.position < 0
      ? null
      : { value: live.value, position: live.position };
  }

  #sent(stripe: Stripe, part: number): void {
    if (!stripe.waiting.delete(part) || stripe.waiting.size > 0 || stripe !== this.#stripe) return;
    this.#onPulled(stripe.position);
  }
}
