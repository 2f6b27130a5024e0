// A run's metrics.jsonl as columns, kept in `metrics.sqlite` beside it so that a long run need not be read again. The JSONL is the
// truth: the index says how far it has read and what it saw there, and where that no longer fits it is made anew. One process at
// a time owns the file; another, or one that may not write there, has its index in memory.
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { CriaError, systemCode } from '@cria/runtime';
import { parseLoggedRow } from '../logged-row.js';
import type { MetricRow } from '../logged-row.js';
import { METRICS_FILE } from '../run-files.js';
import { parseStepMetrics } from '../step-metrics.js';
import type { StepMetrics } from '../step-metrics.js';
import { openDatabase } from './database.js';
import type { Database } from './database.js';
import { MetricHistory } from './metric-history.js';
import type { AbandonedTail, HistoryState, Schema } from './metric-history.js';
import { DOUBLES_SCHEMA, StoredDoubles } from './stored-doubles.js';

export const INDEX_FILE = 'metrics.sqlite';

const VERSION = 1;
const READ_BYTES = 256 * 1024;
const SAVE_ROWS = 8192;
/** Looked at again before reading on: what stood first, and what stood last before the place read to. */
const FINGERPRINT_BYTES = 512;
const NEWLINE = 0x0a;

export interface MetricIndexOptions {
  readonly directory: string;
  readonly schema: Schema;
  /** Told, for people, when the index cannot be kept in its file; it goes on in memory. */
  readonly onTrouble?: (error: CriaError) => void;
  /** Keep it in memory only. */
  readonly inMemory?: boolean;
  /** The file may not grow beyond this, as on a disk that is full; for tests. */
  readonly maxPages?: number;
}

interface Place {
  readonly offset: number;
  readonly fingerprint: string;
  readonly badLines: number;
}

const OWN_SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS tail (n INTEGER PRIMARY KEY, segment INTEGER, rows TEXT NOT NULL);
`;

const START: Place = { offset: 0, fingerprint: '', badLines: 0 };

export class MetricIndex {
  readonly #options: MetricIndexOptions;
  #database: Database | null;
  #doubles: StoredDoubles | null = null;
  #history: MetricHistory;
  #place: Place = START;
  #unsavedRows = 0;
  #savedOffset = 0;
  #tailsSaved: AbandonedTail | undefined;
  #pendingBytes = 0;
  #hasChecked = false;
  #writable: boolean;
  #busy: Promise<void> = Promise.resolve();

  private constructor(options: MetricIndexOptions, database: Database | null) {
    this.#options = options;
    this.#database = database;
    this.#writable = database !== null;
    this.#history = this.#restore();
  }

  /** Opens or makes the index of a run's directory, up to the end of its metrics.jsonl as it is now. */
  static async open(options: MetricIndexOptions): Promise<MetricIndex> {
    const index = await MetricIndex.#openStored(options);
    await index.catchUp();
    return index;
  }

  static async #openStored(options: MetricIndexOptions): Promise<MetricIndex> {
    if (options.inMemory === true) return new MetricIndex(options, null);
    const path = join(options.directory, INDEX_FILE);
    try {
      return MetricIndex.#over(path, options);
    } catch (error) {
      if (!isDamaged(error)) return MetricIndex.#fallBack(options, error);
    }
    for (const suffix of ['', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true });
    try {
      return MetricIndex.#over(path, options);
    } catch (error) {
      return MetricIndex.#fallBack(options, error);
    }
  }

  static #over(path: string, options: MetricIndexOptions): MetricIndex {
    const database = openDatabase(path);
    try {
      database.exec(DOUBLES_SCHEMA);
      database.exec(OWN_SCHEMA);
      if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${options.maxPages}`);
      return new MetricIndex(options, database);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  static #fallBack(options: MetricIndexOptions, cause: unknown): MetricIndex {
    options.onTrouble?.(CriaError.from(cause));
    return new MetricIndex(options, null);
  }

  get history(): MetricHistory {
    return this.#history;
  }

  /** Lines that could not be read and are left out. */
  get badLines(): number {
    return this.#place.badLines;
  }

  /** Bytes behind the last whole line: one that is being written, or was cut off. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether the file is in use; otherwise all is in memory. */
  get isStored(): boolean {
    return this.#database !== null;
  }

  /** Reads what has come since; `keepLater` leaves writing the index to a later call, for one that is followed closely. */
  catchUp({ keepLater = false }: { readonly keepLater?: boolean } = {}): Promise<void> {
    this.#busy = this.#busy.catch(() => undefined).then(() => this.#catchUp(keepLater));
    return this.#busy;
  }

  async close(): Promise<void> {
    await this.#busy.catch(() => undefined);
    this.#database?.close();
    this.#database = null;
    this.#writable = false;
  }

  async #catchUp(keepLater: boolean): Promise<void> {
    const path = join(this.#options.directory, METRICS_FILE);
    let file: FileHandle;
    try {
      file = await open(path, 'r');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw new CriaError('STORAGE_FAILED', `${path} cannot be read`, { cause: error });
    }
    try {
      const { size } = await file.stat();
      const isKept = keepLater || this.#savedOffset === this.#place.offset;
      if (this.#hasChecked && isKept && size === this.#place.offset + this.#pendingBytes) return;
      if (!(await this.#stillFits(file, size))) this.#reset();
      this.#hasChecked = true;
      await this.#readFrom(file, keepLater);
    } finally {
      await file.close();
    }
  }

  async #stillFits(file: FileHandle, size: number): Promise<boolean> {
    const { offset, fingerprint } = this.#place;
    return size >= offset && (offset === 0 || (await fingerprintOf(file, offset)) === fingerprint);
  }

  async #readFrom(file: FileHandle, keepLater: boolean): Promise<void> {
    const chunk = Buffer.alloc(READ_BYTES);
    let rest = Buffer.alloc(0);
    let { offset, badLines } = this.#place;
    for (;;) {
      const { bytesRead } = await file.read(chunk, 0, READ_BYTES, offset + rest.length);
      if (bytesRead === 0) break;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const whole = bytes.lastIndexOf(NEWLINE) + 1;
      badLines += this.#takeLines(bytes.subarray(0, whole).toString('utf8'));
      offset += whole;
      rest = bytes.subarray(whole);
      if (this.#unsavedRows >= SAVE_ROWS) await this.#save(file, offset, badLines);
    }
    this.#pendingBytes = rest.length;
    if (!keepLater) await this.#save(file, offset, badLines);
    else if (offset !== this.#place.offset) await this.#advance(file, offset, badLines);
  }

  /** @returns how many could not be read */
  #takeLines(text: string): number {
    let bad = 0;
    const parse: (json: unknown) => MetricRow | StepMetrics | string =
      this.#options.schema === 'cria' ? parseStepMetrics : parseLoggedRow;
    for (const line of text.split('\n')) {
      if (line.trim() === '') continue;
      const row = parsedLine(line, parse);
      if (row === null) bad++;
      else if (this.#history.append(row)) this.#unsavedRows++;
    }
    return bad;
  }

  async #save(file: FileHandle, offset: number, badLines: number): Promise<void> {
    await this.#advance(file, offset, badLines);
    const isNew = offset !== this.#savedOffset;
    this.#savedOffset = offset;
    this.#unsavedRows = 0;
    const database = this.#database;
    if (!isNew || database === null || !this.#writable) return;
    try {
      database.transaction(() => {
        this.#doubles?.save();
        this.#saveTails(database);
        const state = JSON.stringify({
          version: VERSION,
          place: this.#place,
          history: this.#history.state(),
        });
        database.run("INSERT OR REPLACE INTO meta VALUES ('state', ?)", state);
      });
      this.#doubles?.saved();
      this.#tailsSaved = this.#history.abandoned.at(-1);
    } catch (error) {
      // Changed chunks stay in memory from here on; the file keeps its last good state.
      this.#writable = false;
      const trouble = `${INDEX_FILE} cannot be written any more; the index goes on in memory`;
      this.#options.onTrouble?.(new CriaError('STORAGE_FAILED', trouble, { cause: error }));
    }
  }

  async #advance(file: FileHandle, offset: number, badLines: number): Promise<void> {
    this.#place = { offset, badLines, fingerprint: await fingerprintOf(file, offset) };
  }

  #saveTails(database: Database): void {
    const tails = this.#history.abandoned;
    if (tails.at(-1) === this.#tailsSaved) return;
    database.run('DELETE FROM tail');
    tails.forEach(({ segment, rows }, n) => {
      database.run('INSERT INTO tail VALUES (?, ?, ?)', n, segment, JSON.stringify(rows));
    });
  }

  /** What the file holds, when it is of this version and schema. */
  #restore(): MetricHistory {
    const { schema } = this.#options;
    const database = this.#database;
    if (database === null) return new MetricHistory(schema);
    this.#doubles = new StoredDoubles(database);
    const text = database.get("SELECT value FROM meta WHERE key = 'state'")?.value;
    const stored = typeof text === 'string' ? (JSON.parse(text) as StoredState) : null;
    if (stored?.version !== VERSION || stored.history.schema !== schema) return this.#empty(database);
    this.#place = stored.place;
    this.#savedOffset = stored.place.offset;
    const history = new MetricHistory(schema, this.#doubles.make, stored.history);
    const rows = database.all('SELECT segment, rows FROM tail ORDER BY n');
    history.restoreTails(
      rows.map((row) => ({
        segment: Number(row.segment),
        rows: JSON.parse(String(row.rows)) as AbandonedTail['rows'],
      })),
    );
    this.#tailsSaved = history.abandoned.at(-1);
    return history;
  }

  /** The JSONL is another one than was read: everything begins anew. */
  #reset(): void {
    this.#place = START;
    this.#savedOffset = 0;
    this.#pendingBytes = 0;
    this.#tailsSaved = undefined;
    this.#history =
      this.#database === null || !this.#writable
        ? new MetricHistory(this.#options.schema)
        : this.#empty(this.#database);
  }

  #empty(database: Database): MetricHistory {
    database.exec('DELETE FROM chunk; DELETE FROM array; DELETE FROM tail; DELETE FROM meta');
    this.#doubles = new StoredDoubles(database);
    return new MetricHistory(this.#options.schema, this.#doubles.make);
  }
}

interface StoredState {
  readonly version: number;
  readonly place: Place;
  readonly history: HistoryState;
}

/** Not SQLite's format, or torn: to be made anew. */
function isDamaged(error: unknown): boolean {
  return /not a database|malformed|SQLITE_(CORRUPT|NOTADB)|no such (table|column)/i.test(String(error));
}

function parsedLine<T>(line: string, parse: (json: unknown) => T | string): T | null {
  try {
    const row = parse(JSON.parse(line));
    return typeof row === 'string' ? null : row;
  } catch {
    return null;
  }
}

async function fingerprintOf(file: FileHandle, offset: number): Promise<string> {
  const length = Math.min(FINGERPRINT_BYTES, offset);
  const bytes = Buffer.alloc(2 * length);
  await file.read(bytes, 0, length, 0);
  await file.read(bytes, length, length, offset - length);
  return createHash('sha256').update(bytes).digest('hex');
}
