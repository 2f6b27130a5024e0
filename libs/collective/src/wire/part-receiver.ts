// Puts a part together from the frames of one or several streams.
import type { FetchRequest } from '@cria/protocol';
import type { Kernels } from '@cria/kernels';
import { CriaError } from '@cria/runtime';
import { decodeFrame } from './frame.js';
import type { Frame } from './frame.js';
import { decodePartHeader } from './part-header.js';
import type { PartHeader } from './part-header.js';

export interface PulledPart {
  readonly header: PartHeader;
  readonly bytes: Uint8Array;
}

/** What a frame completed, or null when more have to come. */
export type Received =
  | { readonly kind: 'complete'; readonly part: PulledPart }
  | { readonly kind: 'not-yet'; readonly reason: string }
  | null;

/** What readers of 64-bit words need. */
const ALIGNMENT_BYTES = 8;

export class PartReceiver {
  readonly #request: FetchRequest;
  readonly #options: { readonly maxBytes: number; readonly room?: (sizeBytes: number) => Uint8Array };
  readonly #crc32c: Kernels['crc32c'];
  #header: PartHeader | null = null;
  /** Taken when the first data comes: one frame that holds the whole part is kept as it is. */
  #bytes: Uint8Array | null = null;
  #offset = 0;
  #restarted = false;

  constructor(
    request: FetchRequest,
    options: { readonly maxBytes: number; readonly room?: (sizeBytes: number) => Uint8Array },
    crc32c: Kernels['crc32c'],
  ) {
    this.#request = request;
    this.#options = options;
    this.#crc32c = crc32c;
  }

  /** Bytes held: where a new stream has to go on. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Takes the next frame of a stream.
   *
   * @throws PEER_DAMAGED, naming the sender; TERM_STALE or PROTOCOL_VIOLATION when it has no such part to give
   */
  take(raw: Buffer): Received {
    try {
      return this.#takeFrame(decodeFrame(raw, this.#crc32c));
    } catch (error) {
      throw this.#named(CriaError.from(error, 'PEER_DAMAGED'));
    }
  }

  #takeFrame(frame: Frame): Received {
    switch (frame.kind) {
      case 'wait':
        return null;
      case 'header':
        return this.#takeHeader(decodePartHeader(frame.payload));
      case 'data':
        return this.#takeData(frame);
    }
  }

  #takeHeader(header: PartHeader): Received {
    if (header.content !== this.#request.content || header.part !== this.#request.part) {
      throw damaged(`the answer is content ${header.content}, part ${header.part}`);
    }
    if (header.status === 'not-yet') return { kind: 'not-yet', reason: header.reason };
    if (header.status === 'stale') throw new CriaError('TERM_STALE', header.reason);
    if (header.status === 'refused') throw new CriaError('PROTOCOL_VIOLATION', `refused: ${header.reason}`);
    if (this.#header === null || !isSamePart(this.#header, header)) this.#begin(header);
    return this.#offset === header.totalBytes ? this.#complete() : null;
  }

  #begin(header: PartHeader): void {
    if (header.totalBytes > this.#options.maxBytes) {
      throw damaged(
        `it announces ${header.totalBytes} bytes, at most ${this.#options.maxBytes} are possible`,
      );
    }
    // A resumed stream of other bytes: this one starts in the middle and is of no use, the next starts at 0.
    this.#restarted = this.#offset > 0;
    this.#header = header;
    this.#offset = 0;
    this.#bytes = null;
  }

  #takeData({ offset, payload }: Frame): Received {
    const header = this.#header;
    if (header === null) throw damaged('data came before the header');
    if (this.#restarted) {
      this.#restarted = false;
      return { kind: 'not-yet', reason: 'the part changed while it was pulled' };
    }
    const end = offset + payload.length;
    if (offset !== this.#offset || end > header.totalBytes) {
      throw damaged(`bytes ${offset} to ${end} came where ${this.#offset} was next`);
    }
    const isWhole = payload.length === header.totalBytes && payload.byteOffset % ALIGNMENT_BYTES === 0;
    if (isWhole && this.#options.room === undefined) {
      this.#bytes = payload;
    } else {
      this.#bytes ??= (this.#options.room ?? Buffer.allocUnsafeSlow)(header.totalBytes);
      this.#bytes.set(payload, offset);
    }
    this.#offset = end;
    return end === header.totalBytes ? this.#complete() : null;
  }

  #complete(): Received {
    if (this.#header === null) throw damaged('no header');
    return { kind: 'complete', part: { header: this.#header, bytes: this.#bytes ?? new Uint8Array(0) } };
  }

  #named(error: CriaError): CriaError {
    const { to, part, content } = this.#request;
    const sentence = `part ${part} from ${to}: ${error.message}`;
    return new CriaError(error.code, sentence, { context: { peer: to, part, content }, cause: error });
  }
}

function isSamePart(a: PartHeader, b: PartHeader): boolean {
  return a.totalBytes === b.totalBytes && a.digest === b.digest && a.position === b.position;
}

function damaged(why: string): CriaError {
  return new CriaError('PEER_DAMAGED', why);
}
