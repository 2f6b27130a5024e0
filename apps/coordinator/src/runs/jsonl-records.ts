// Small JSONL files of a run (alerts, samples), read whole when they have changed.
import { readFile, stat } from 'node:fs/promises';

/** More is not read: these files are for people. */
const MAX_BYTES = 64 << 20;

export class JsonlRecords<T> {
  readonly #path: string;
  readonly #isRecord: (value: unknown) => value is T;
  #seen = '';
  #records: readonly T[] = [];

  constructor(path: string, isRecord: (value: unknown) => value is T) {
    this.#path = path;
    this.#isRecord = isRecord;
  }

  /** As last read. */
  get records(): readonly T[] {
    return this.#records;
  }

  /** Lines that are damaged are passed over. */
  async refresh(): Promise<readonly T[]> {
    const facts = await stat(this.#path).catch(() => null);
    const seen = facts === null ? '' : `${facts.size} ${facts.mtimeMs}`;
    if (seen === this.#seen) return this.#records;
    this.#seen = seen;
    const isReadable = facts !== null && facts.size <= MAX_BYTES;
    const text = isReadable ? await readFile(this.#path, 'utf8').catch(() => '') : '';
    this.#records = text.split('\n').flatMap((line) => this.#parsed(line));
    return this.#records;
  }

  #parsed(line: string): T[] {
    try {
      const value: unknown = JSON.parse(line);
      return this.#isRecord(value) ? [value] : [];
    } catch {
      return [];
    }
  }
}
