// SQLite, as far as the index needs it. The package (libsql) carries its binary for the usual machines; where it has none, there
// is no index file, and everything works from memory.
import { createRequire } from 'node:module';
import { CriaError } from '@cria/runtime';

export type SqlValue = number | string | Buffer | null;

export interface Database {
  exec(sql: string): void;
  run(sql: string, ...values: SqlValue[]): void;
  get(sql: string, ...values: SqlValue[]): Readonly<Record<string, SqlValue>> | undefined;
  all(sql: string, ...values: SqlValue[]): ReadonlyArray<Readonly<Record<string, SqlValue>>>;
  /** All of `work` or nothing of it. */
  transaction(work: () => void): void;
  close(): void;
}

interface Statement {
  run(...values: SqlValue[]): unknown;
  get(...values: SqlValue[]): Readonly<Record<string, SqlValue>> | undefined;
  all(...values: SqlValue[]): ReadonlyArray<Readonly<Record<string, SqlValue>>>;
}

interface Connection {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

/** @throws CriaError STORAGE_FAILED: no binary for this machine, not writable, damaged, or held by another process */
export function openDatabase(path: string): Database {
  try {
    const Sqlite = createRequire(import.meta.url)('libsql') as new (path: string) => Connection;
    const connection = new Sqlite(path);
    // One process owns the file while it is open; nothing in it is worth waiting for the disk, it can be made again.
    connection.exec(
      'PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE',
    );
    connection.exec('PRAGMA synchronous = OFF; BEGIN IMMEDIATE; COMMIT');
    return new SqliteDatabase(connection);
  } catch (cause) {
    throw new CriaError('STORAGE_FAILED', `${path} cannot be used: ${String(cause)}`, { cause });
  }
}

class SqliteDatabase implements Database {
  readonly #connection: Connection;
  readonly #statements = new Map<string, Statement>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  exec(sql: string): void {
    this.#connection.exec(sql);
  }

  run(sql: string, ...values: SqlValue[]): void {
    this.#prepared(sql).run(...values);
  }

  get(sql: string, ...values: SqlValue[]): Readonly<Record<string, SqlValue>> | undefined {
    return this.#prepared(sql).get(...values);
  }

  all(sql: string, ...values: SqlValue[]): ReadonlyArray<Readonly<Record<string, SqlValue>>> {
    return this.#prepared(sql).all(...values);
  }

  transaction(work: () => void): void {
    this.exec('BEGIN');
    try {
      work();
      this.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    // The package lets go of a connection when its statements are collected; the lock must go now.
    this.exec('PRAGMA locking_mode = NORMAL');
    this.get('SELECT 1 FROM sqlite_master');
    this.#statements.clear();
    this.#connection.close();
  }

  #rollBack(): void {
    try {
      this.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full.
    }
  }

  #prepared(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#connection.prepare(sql)));
    return statement;
  }
}
