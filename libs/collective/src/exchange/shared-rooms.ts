// Shared memory for packed parts, used again by hand. A thread that was shown such memory keeps it alive until its own
// garbage collector runs, and a thread that only waits for its engine seldom does that: left to collectors, a worker
// holds the gradients of several steps.

interface Room {
  readonly buffer: SharedArrayBuffer;
  /** Who reads it apart from its owner. */
  readers: number;
  /** Its owner has no more use for it. */
  isLeft: boolean;
}

/** Parts grow and shrink a little from step to step. */
const SLACK = 1 / 16;
const PAGE_BYTES = 4096;
/** Of more free rooms the smallest, which fits least, is given to the collector. */
const FREE_MAX = 8;

export class SharedRooms {
  readonly #rooms = new WeakMap<ArrayBufferLike, Room>();
  /** Smallest first. */
  #free: SharedArrayBuffer[] = [];

  /** Room for a part, of the smallest free one that fits; what lies there is old. */
  take(sizeBytes: number): Uint8Array {
    const fits = this.#free.findIndex((buffer) => buffer.byteLength >= sizeBytes);
    const [buffer] = fits < 0 ? [new SharedArrayBuffer(withSlack(sizeBytes))] : this.#free.splice(fits, 1);
    this.#rooms.set(buffer, { buffer, readers: 0, isLeft: false });
    return new Uint8Array(buffer, 0, sizeBytes);
  }

  /** The owner leaves the room: it is free as soon as nobody reads it. Bytes that lie elsewhere are no concern. */
  leave(bytes: Uint8Array): void {
    const room = this.#rooms.get(bytes.buffer);
    if (room === undefined || room.isLeft) return;
    room.isLeft = true;
    this.#freeWhenUnread(room);
  }

  /**
   * Somebody reads the bytes.
   *
   * @returns to be called when they are done; once is enough
   */
  lend(bytes: Uint8Array): () => void {
    const room = this.#rooms.get(bytes.buffer);
    if (room === undefined) return () => undefined;
    room.readers += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      room.readers -= 1;
      this.#freeWhenUnread(room);
    };
  }

  #freeWhenUnread(room: Room): void {
    if (!room.isLeft || room.readers > 0) return;
    const at = this.#free.findIndex(({ byteLength }) => byteLength >= room.buffer.byteLength);
    this.#free.splice(at < 0 ? this.#free.length : at, 0, room.buffer);
    if (this.#free.length > FREE_MAX) this.#free.shift();
  }
}

function withSlack(sizeBytes: number): number {
  return Math.ceil((sizeBytes * (1 + SLACK)) / PAGE_BYTES) * PAGE_BYTES;
}
