// Tokens of slots and of validation sequences, read ahead so that a grant does not wait for the disk.
import { slotSequences, type Dataset } from '@cria/data';

/** Slots kept: the step under way and the next one. */
export interface TokenFeedOptions {
  readonly dataset: Dataset;
  readonly globalBatch: number;
  readonly slots: number;
}

export class TokenFeed {
  readonly #options: TokenFeedOptions;
  readonly #kept = new Map<string, Promise<Buffer>>();

  constructor(options: TokenFeedOptions) {
    this.#options = options;
  }

  /** The slot's sequences, [globalBatch / slots, T + 1] uint16 little-endian. */
  slot(step: number, slot: number): Promise<Buffer> {
    this.#readAhead(step + 1, slot);
    return this.#read(step, slot);
  }

  /** One validation sequence, [T + 1] uint16 little-endian. */
  async validation(index: number): Promise<Buffer> {
    return bytesOf([await this.#options.dataset.validationSequence(index)]);
  }

  #readAhead(step: number, slot: number): void {
    // A failure shows when the slot is granted.
    this.#read(step, slot).catch(() => undefined);
    const bound = 2 * this.#options.slots + 8;
    for (const key of this.#kept.keys()) {
      if (this.#kept.size <= bound) break;
      this.#kept.delete(key);
    }
  }

  #read(step: number, slot: number): Promise<Buffer> {
    const key = `${step}/${slot}`;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const reading = this.#load(step, slot);
    this.#kept.set(key, reading);
    reading.catch(() => this.#kept.delete(key));
    return reading;
  }

  async #load(step: number, slot: number): Promise<Buffer> {
    const { dataset, globalBatch, slots } = this.#options;
    const { first, count } = slotSequences({ step, slot, globalBatch, slots });
    const sequences = await Promise.all(
      Array.from({ length: count }, (_, i) => dataset.trainSequence(first + i)),
    );
    return bytesOf(sequences);
  }
}

/** Token files, memory and wire are all little-endian uint16 on the machines Cria runs on (docs/decisions). */
function bytesOf(sequences: readonly Uint16Array[]): Buffer {
  return Buffer.concat(
    sequences.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}
