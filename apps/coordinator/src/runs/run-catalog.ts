// The runs that one server shows: the one it serves, if any, and those found in a directory. A run on disk is opened when it is asked
// for; the list opens them one after the other in the background and shows what it knows so far.
import { readdir, stat } from 'node:fs/promises';
import { timingSafeEqual } from 'node:crypto';
import { join, resolve } from 'node:path';
import { METRICS_FILE } from '@cria/metrics';
import { sleep, type Clock, type Log } from '@cria/runtime';
import { isCalled } from '../http/one-run.js';
import type { RunCatalog, RunView } from '../http/run-view.js';
import { StoredRun } from './stored-run.js';

export interface DirectoryCatalogOptions {
  /** Holds a directory per run. */
  readonly runsDir: string;
  readonly live: RunView | null;
  /** Of the live run: it is not shown twice. */
  readonly liveDir: string | null;
  /** For what belongs to any run here; null: only each run's own token counts. */
  readonly token: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** A list waits so long for runs that are being opened. */
const LIST_PATIENCE_MS = 1500;
const RESCAN_MS = 1000;
const MAX_RUNS = 1000;

interface Slot {
  readonly run: StoredRun;
  isOpen: boolean;
}

export class DirectoryCatalog implements RunCatalog {
  readonly live: RunView | null;
  readonly #options: DirectoryCatalogOptions;
  readonly #slots = new Map<string, Slot>();
  #scannedMs = -Infinity;
  #opening: Promise<void> = Promise.resolve();

  constructor(options: DirectoryCatalogOptions) {
    this.#options = options;
    this.live = options.live;
  }

  async list(): Promise<readonly RunView[]> {
    await this.#scan();
    const { clock } = this.#options;
    this.#opening = this.#opening.then(() => this.#refreshAll());
    const patience = new AbortController();
    await Promise.race([
      this.#opening,
      sleep(clock, LIST_PATIENCE_MS, patience.signal).catch(() => undefined),
    ]);
    patience.abort();
    const stored = [...this.#slots.values()].filter(({ isOpen }) => isOpen).map(({ run }) => run);
    const newest = (run: StoredRun): number => run.metrics().column('wallMs').lastFinite() ?? 0;
    stored.sort((a, b) => newest(b) - newest(a));
    return this.live === null ? stored : [this.live, ...stored];
  }

  async find(id: string): Promise<RunView | null> {
    const { live } = this;
    if (live !== null && isCalled(live, id)) return live;
    await this.#scan();
    const slots = [...this.#slots.entries()];
    const slot =
      slots.find(([, { run }]) => run.facts().id === id)?.[1] ??
      slots.find(([name]) => name === id)?.[1] ??
      slots.find(([, { run }]) => run.facts().run === id)?.[1];
    if (slot === undefined) return null;
    await this.#refresh(slot);
    return slot.run;
  }

  authorised(token: string): boolean {
    const wanted = this.#options.token;
    if (this.live?.authorised(token) === true) return true;
    if (wanted === null) return false;
    const [given, known] = [Buffer.from(token), Buffer.from(wanted)];
    return given.length === known.length && timingSafeEqual(given, known);
  }

  async close(): Promise<void> {
    for (const { run } of this.#slots.values()) await run.close();
  }

  /** Looks for directories that have come or gone, once a second at most. */
  async #scan(): Promise<void> {
    const { runsDir, liveDir, clock, log } = this.#options;
    if (clock.monotonicMs() - this.#scannedMs < RESCAN_MS) return;
    this.#scannedMs = clock.monotonicMs();
    const names = (await readdir(runsDir).catch(() => [])).filter((name) => !name.startsWith('.'));
    const found = new Set<string>();
    for (const name of names.slice(0, MAX_RUNS)) {
      const directory = join(runsDir, name);
      if (liveDir !== null && resolve(directory) === resolve(liveDir)) continue;
      if ((await stat(join(directory, METRICS_FILE)).catch(() => null))?.isFile() !== true) continue;
      found.add(name);
      if (!this.#slots.has(name)) {
        this.#slots.set(name, { run: new StoredRun(directory, log), isOpen: false });
      }
    }
    for (const [name, { run }] of this.#slots) {
      if (found.has(name)) continue;
      this.#slots.delete(name);
      await run.close();
    }
  }

  async #refreshAll(): Promise<void> {
    for (const slot of [...this.#slots.values()]) {
      await this.#refresh(slot).catch((error: unknown) => {
        const { directory } = slot.run;
        this.#options.log.warn({ directory, error: String(error) }, 'a run on disk cannot be read');
      });
    }
  }

  async #refresh(slot: Slot): Promise<void> {
    await slot.run.refresh();
    slot.isOpen = true;
  }
}
