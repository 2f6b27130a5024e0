// Lines appended to a file from inside somebody's training loop. The loop may never return to the event loop, so writing
// is synchronous, but not for every line; and whatever the disk does, nothing is thrown: lines are kept, up to a bound,
// and tried again.
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { CriaError } from '@cria/runtime';
import type { Clock, Timer } from '@cria/runtime';

/** Rows that come faster are written together; a process that is killed loses no more than these. */
const BATCH_MS = 200;
/** Memory that a full disk may cost. */
const MAX_PENDING_BYTES = 8 << 20;
const RETRY_MS = 2_000;
const NEWLINE = 0x0a;
const TAIL_CHUNK_BYTES = 64 * 1024;

export interface SyncLinesOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Told once when writing starts to fail, and with null when it works again. */
  readonly onTrouble: (error: CriaError | null) => void;
}

export class SyncLines {
  readonly #options: SyncLinesOptions;
  readonly #file: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #dropped = 0;
  #nextWriteMs = 0;
  #timer: Timer | null = null;
  #torn = true;
  #failing = false;

  private constructor(options: SyncLinesOptions, file: number) {
    this.#options = options;
    this.#file = file;
  }

  /** @throws STORAGE_FAILED when the file cannot be opened */
  static open(options: SyncLinesOptions): SyncLines {
    try {
      return new SyncLines(options, openSync(options.path, 'a+'));
    } catch (error) {
      throw new CriaError('STORAGE_FAILED', `${options.path} cannot be opened for appending`, {
        cause: error,
      });
    }
  }

  /** Lines that a disk in trouble has cost so far. */
  get droppedLines(): number {
    return this.#dropped;
  }

  /** The last whole line, null when there is none. */
  lastLine(): string | null {
    const end = wholeBytes(this.#file);
    if (end === 0) return null;
    const start = lastNewlineBefore(this.#file, end - 1) + 1;
    const bytes = Buffer.alloc(end - 1 - start);
    readSync(this.#file, bytes, 0, bytes.length, start);
    return bytes.toString();
  }

  /** Appends one line now or with the next ones, within 200 ms. Never throws. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    while (this.#pendingBytes > MAX_PENDING_BYTES) {
      this.#pendingBytes -= this.#pending.shift()?.length ?? 0;
      this.#dropped++;
    }
    const { clock } = this.#options;
    const waitMs = this.#nextWriteMs - clock.monotonicMs();
    if (waitMs <= 0) this.flush();
    else this.#timer ??= unref(clock.timer(waitMs, () => this.flush()));
  }

  /** Hands everything to the system, or keeps it where that fails. Never throws. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#pending.length === 0) return;
    try {
      this.#cutTornEnd();
      this.#torn = true;
      writeFully(this.#file, Buffer.concat(this.#pending));
      this.#torn = false;
      [this.#pending, this.#pendingBytes] = [[], 0];
      if (this.#failing) this.#options.onTrouble(null);
      this.#failing = false;
    } catch (error) {
      const trouble = `${this.#options.path} cannot be written; rows are kept in memory until it can`;
      if (!this.#failing) this.#options.onTrouble(new CriaError('STORAGE_FAILED', trouble, { cause: error }));
      this.#failing = true;
    }
    this.#nextWriteMs = this.#options.clock.monotonicMs() + (this.#failing ? RETRY_MS : BATCH_MS);
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }

  /** What a writer that died or failed has left behind the last whole line. */
  #cutTornEnd(): void {
    if (!this.#torn) return;
    const whole = wholeBytes(this.#file);
    if (whole < fstatSync(this.#file).size) ftruncateSync(this.#file, whole);
  }
}

/** A program that is done must not be kept alive by its log. */
function unref(timer: Timer): Timer {
  timer.unref?.();
  return timer;
}

function writeFully(file: number, bytes: Buffer): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(file, bytes, done);
}

/** Size up to and including the last newline. */
function wholeBytes(file: number): number {
  return lastNewlineBefore(file, fstatSync(file).size) + 1;
}

/** Place of the last newline in the first `end` bytes, -1 where there is none. */
function lastNewlineBefore(file: number, end: number): number {
  const chunk = Buffer.alloc(TAIL_CHUNK_BYTES);
  for (let chunkEnd = end; chunkEnd > 0;) {
    const start = Math.max(0, chunkEnd - TAIL_CHUNK_BYTES);
    const count = readSync(file, chunk, 0, chunkEnd - start, start);
    const newline = chunk.subarray(0, count).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline;
    chunkEnd = start;
  }
  return -1;
}
