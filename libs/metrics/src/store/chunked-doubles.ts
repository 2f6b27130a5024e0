// A growing array of doubles in chunks, so that a long one costs no copy when it grows, and so that chunks can lie in a
// file until they are asked for. What was never set is NaN.

/** Where the chunks of an array lie while they are not in memory. */
export interface ChunkBacking {
  /** The chunk's doubles from its start, perhaps fewer than a whole chunk; null when it was never written. */
  load(chunk: number): Float64Array | null;
  /** A chunk is in memory now, and so may be written soon. */
  resident(chunk: number): void;
}

/** Makes the arrays of a history: in memory, or over a file. */
export type DoublesFactory = (key: string, chunkDoubles: number) => ChunkedDoubles;

export const memoryDoubles: DoublesFactory = (_key, chunkDoubles) => new ChunkedDoubles(chunkDoubles);

const FIRST_DOUBLES = 48;

export class ChunkedDoubles {
  readonly chunkDoubles: number;
  readonly #backing: ChunkBacking | null;
  #chunks: Array<Float64Array | undefined> = [];
  readonly #dirty = new Set<number>();
  /** Chunks from here on were cut away; what the file still has of them is not read. */
  #deletedFrom = Infinity;

  constructor(chunkDoubles: number, backing: ChunkBacking | null = null) {
    this.chunkDoubles = chunkDoubles;
    this.#backing = backing;
  }

  get(index: number): number {
    const chunk = Math.floor(index / this.chunkDoubles);
    const doubles = this.#chunks[chunk] ?? this.#load(chunk);
    return doubles?.[index - chunk * this.chunkDoubles] ?? Number.NaN;
  }

  set(index: number, value: number): void {
    const chunk = Math.floor(index / this.chunkDoubles);
    const offset = index - chunk * this.chunkDoubles;
    this.writable(chunk, offset + 1)[offset] = value;
  }

  /** Copies what stands from `index` on. */
  read(index: number, into: Float64Array): void {
    into.fill(Number.NaN);
    for (let done = 0; done < into.length;) {
      const chunk = Math.floor((index + done) / this.chunkDoubles);
      const offset = index + done - chunk * this.chunkDoubles;
      const count = Math.min(this.chunkDoubles - offset, into.length - done);
      const doubles = this.readable(chunk)?.subarray(offset, offset + count);
      if (doubles !== undefined) into.set(doubles, done);
      done += count;
    }
  }

  /** The doubles of a chunk to be read in place; undefined when none was ever set. */
  readable(chunk: number): Float64Array | undefined {
    return this.#chunks[chunk] ?? this.#load(chunk);
  }

  /** The doubles of a chunk to be changed in place, at least `length` of them. */
  writable(chunk: number, length: number): Float64Array {
    let doubles = this.#chunks[chunk] ?? this.#load(chunk);
    if (doubles === undefined || doubles.length < length) doubles = this.#grow(chunk, doubles, length);
    this.#dirty.add(chunk);
    return doubles;
  }

  /** Forgets everything from `length` on. */
  truncate(length: number): void {
    const last = Math.floor(length / this.chunkDoubles);
    const kept = this.readable(last);
    for (const chunk of this.#dirty) if (chunk > last) this.#dirty.delete(chunk);
    this.#chunks.length = Math.min(this.#chunks.length, last + 1);
    this.#deletedFrom = Math.min(this.#deletedFrom, last + 1);
    if (kept === undefined) return;
    kept.fill(Number.NaN, length - last * this.chunkDoubles);
    this.#dirty.add(last);
  }

  /** What differs from the file since {@link saved}: first chunks are deleted there, then these written. */
  changes(): {
    readonly deletedFrom: number | null;
    readonly chunks: ReadonlyArray<readonly [chunk: number, doubles: Float64Array]>;
  } {
    return {
      deletedFrom: this.#deletedFrom === Infinity ? null : this.#deletedFrom,
      chunks: [...this.#dirty].flatMap((chunk) => {
        const doubles = this.#chunks[chunk];
        return doubles === undefined ? [] : [[chunk, doubles] as const];
      }),
    };
  }

  /** The file has all changes. */
  saved(): void {
    this.#dirty.clear();
    this.#deletedFrom = Infinity;
  }

  /** Lets a chunk go that is the same in the file; says whether it could. */
  release(chunk: number): boolean {
    if (this.#dirty.has(chunk)) return false;
    this.#chunks[chunk] = undefined;
    return true;
  }

  #load(chunk: number): Float64Array | undefined {
    if (this.#backing === null || chunk >= this.#deletedFrom) return undefined;
    const doubles = this.#backing.load(chunk) ?? undefined;
    if (doubles !== undefined) this.#place(chunk, doubles);
    return doubles;
  }

  #grow(chunk: number, before: Float64Array | undefined, length: number): Float64Array {
    const wanted = Math.max(length, 2 * (before?.length ?? 0), FIRST_DOUBLES);
    const doubles = new Float64Array(Math.min(wanted, this.chunkDoubles)).fill(Number.NaN);
    if (before !== undefined) doubles.set(before);
    this.#place(chunk, doubles);
    return doubles;
  }

  #place(chunk: number, doubles: Float64Array): void {
    const isNew = this.#chunks[chunk] === undefined;
    this.#chunks[chunk] = doubles;
    if (isNew) this.#backing?.resident(chunk);
  }
}
