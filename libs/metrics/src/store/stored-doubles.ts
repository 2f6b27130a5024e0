// The arrays of a history over a database: chunks are read when they are asked for, and changed ones written by `save`.
// A bounded number of unchanged chunks stays in memory, so that a long run costs no more than a short one.
import type { Database } from './database.js';
import { ChunkedDoubles } from './chunked-doubles.js';
import type { ChunkBacking, DoublesFactory } from './chunked-doubles.js';

/** Of at most 32 KiB each. */
const MAX_RESIDENT = 1024;

export const DOUBLES_SCHEMA = `
  CREATE TABLE IF NOT EXISTS array (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
  CREATE TABLE IF NOT EXISTS chunk (array INTEGER, chunk INTEGER, doubles BLOB NOT NULL, PRIMARY KEY (array, chunk));
`;

export class StoredDoubles {
  readonly #database: Database;
  readonly #arrays = new Map<number, ChunkedDoubles>();
  /** Oldest first. */
  #resident: Array<readonly [array: number, chunk: number]> = [];

  readonly #ids = new Map<string, number>();
  /** Keys that the file does not have yet. */
  #newKeys: string[] = [];

  constructor(database: Database) {
    this.#database = database;
    for (const { id, key } of database.all('SELECT id, key FROM array'))
      this.#ids.set(String(key), Number(id));
  }

  readonly make: DoublesFactory = (key, chunkDoubles) => {
    const id = this.#ids.get(key) ?? this.#newId(key);
    const array = new ChunkedDoubles(chunkDoubles, this.#backing(id));
    this.#arrays.set(id, array);
    return array;
  };

  /** Writes what has changed; to be called in a transaction, with {@link saved} when that has held. */
  save(): void {
    for (const key of this.#newKeys) {
      this.#database.run('INSERT INTO array VALUES (?, ?)', this.#ids.get(key) ?? 0, key);
    }
    for (const [id, array] of this.#arrays) {
      const { deletedFrom, chunks } = array.changes();
      if (deletedFrom !== null) {
        this.#database.run('DELETE FROM chunk WHERE array = ? AND chunk >= ?', id, deletedFrom);
      }
      for (const [chunk, doubles] of chunks) {
        const bytes = Buffer.from(doubles.buffer, doubles.byteOffset, doubles.byteLength);
        this.#database.run('INSERT OR REPLACE INTO chunk VALUES (?, ?, ?)', id, chunk, bytes);
      }
    }
  }

  saved(): void {
    this.#newKeys = [];
    for (const array of this.#arrays.values()) array.saved();
    this.#shrink();
  }

  #newId(key: string): number {
    const id = this.#ids.size + 1;
    this.#ids.set(key, id);
    this.#newKeys.push(key);
    return id;
  }

  #backing(id: number): ChunkBacking {
    return {
      load: (chunk) => {
        const row = this.#database.get('SELECT doubles FROM chunk WHERE array = ? AND chunk = ?', id, chunk);
        return row === undefined ? null : doublesOf(row.doubles as Buffer);
      },
      resident: (chunk) => {
        this.#resident.push([id, chunk]);
        if (this.#resident.length > 2 * MAX_RESIDENT) this.#shrink();
      },
    };
  }

  /** Lets the oldest go; those that have changed stay until they are saved. */
  #shrink(): void {
    const excess = this.#resident.length - MAX_RESIDENT;
    if (excess <= 0) return;
    const kept = this.#resident
      .slice(0, excess)
      .filter(([id, chunk]) => this.#arrays.get(id)?.release(chunk) === false);
    this.#resident = [...kept, ...this.#resident.slice(excess)];
  }
}

/** A copy: the database's bytes need not be aligned. */
function doublesOf(bytes: Buffer): Float64Array {
  const doubles = new Float64Array(bytes.length / 8);
  Buffer.from(doubles.buffer).set(bytes);
  return doubles;
}
