// A shadow's copy of the state: ranges pulled from members while they go on training, each brought forward with the
// reduced gradients that the shadow hears, until all of them are at one position (PROTOCOL section 6, Join).
import {
  setPosition,
  type ExchangeThread,
  type HeldReduced,
  type SharedTrainingState,
} from '@cria/collective';
import type { LedgerEntry } from '@cria/ledger';
import type { Endpoint, Term, Welcome } from '@cria/protocol';
import { assert, CriaError, pauseAt, present, sleep, type Clock, type Log } from '@cria/runtime';
import type { EngineClient } from './engine-client.js';

export interface CaughtUp {
  readonly position: number;
  readonly mathHash: string;
  readonly stateDigest: string;
}

export interface CatchUpOptions {
  readonly welcome: Welcome;
  readonly term: Term;
  readonly state: SharedTrainingState;
  readonly exchange: ExchangeThread;
  readonly engine: EngineClient;
  readonly clock: Clock;
  readonly log: Log;
}

/** Parts asked for at a time, so that what arrived can be rolled forward while the rest comes. */
const BATCH_PARTS = 64;
const NOT_HERE = -1;
const WAIT_MS = 50;

export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #positions: Int32Array;
  readonly #gradients = new Map<number, HeldReduced>();
  readonly #entries = new Map<number, LedgerEntry>();
  readonly #abort = new AbortController();
  #head: number;
  #isOver = false;

  constructor(options: CatchUpOptions) {
    this.#options = options;
    this.#head = options.welcome.step;
    this.#positions = new Int32Array(options.state.partVersion.length).fill(NOT_HERE);
  }

  /** The sum of a step that this shadow has copied; it is released when no part needs it any more. */
  holdGradient(gradient: HeldReduced): void {
    this.#release(this.#gradients.get(gradient.step));
    this.#gradients.set(gradient.step, gradient);
    if (this.#isOver) this.#releaseBefore(Infinity);
  }

  /** A step was committed while the copy is under way. */
  commit(entry: LedgerEntry): void {
    this.#entries.set(entry.math.step, entry);
    this.#head = Math.max(this.#head, entry.math.step + 1);
  }

  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  stop(): void {
    this.#abort.abort(new CriaError('EXCHANGE_ABORTED', 'the copy was given up'));
  }

  /** Resolves when every part is at one position. Rejects when no donor delivers, or when stopped. */
  async run(): Promise<CaughtUp> {
    try {
      return await this.#catchUp();
    } finally {
      this.#isOver = true;
      this.#releaseBefore(Infinity);
    }
  }

  async #catchUp(): Promise<CaughtUp> {
    const { signal } = this.#abort;
    for (;;) {
      signal.throwIfAborted();
      await this.#rollForward();
      const done = await this.#finish();
      if (done !== null) return done;
      const wanted = this.#wanted().slice(0, BATCH_PARTS);
      if (wanted.length > 0) await this.#pull(wanted);
      else await sleep(this.#options.clock, WAIT_MS, signal);
    }
  }

  /** Parts that are not here, or that missed a step whose sum this shadow does not have. */
  #wanted(): number[] {
    const wanted: number[] = [];
    this.#positions.forEach((position, part) => {
      const missed = position < this.#head && !this.#gradients.has(position);
      if (position === NOT_HERE || missed) wanted.push(part);
    });
    return wanted;
  }

  async #pull(parts: readonly number[]): Promise<void> {
    const { exchange, welcome, term } = this.#options;
    const donors: Endpoint[] = welcome.donors;
    if (donors.length === 0)
      throw new CriaError('PEER_UNREACHABLE', 'there is nobody to copy the state from');
    const order = { term, step: this.#head, donors, parts };
    for (const { part, position } of await exchange.pullState(order, this.#abort.signal)) {
      this.#positions[part] = position;
      pauseAt('joining', position);
      this.#head = Math.max(this.#head, position);
    }
  }

  async #rollForward(): Promise<void> {
    for (;;) {
      const from = this.#lowestThatCanGoOn();
      if (from === null) return;
      const entry = this.#entries.get(from);
      const gradient = this.#gradients.get(from);
      assert(entry !== undefined && gradient !== undefined, 'what goes on has its entry and its sum');
      const parts = [...this.#positions.keys()].filter((part) => this.#positions[part] === from);
      await this.#options.engine.rollForward({
        stateDigest: null,
        step: from,
        use: entry.math.verdict === 'use',
        gradNorm: entry.math.gradNorm,
        parts,
        packed: parts.map((part) => present(gradient.parts[part], 'a part of the sum')),
      });
      for (const part of parts) this.#positions[part] = from + 1;
      // What is pulled from now on is at the head at least.
      const needed = this.#positions.filter((position) => position !== NOT_HERE);
      this.#releaseBefore(Math.min(this.#head, ...new Set(needed)));
    }
  }

  #releaseBefore(step: number): void {
    for (const [at, gradient] of this.#gradients) {
      if (at >= step) continue;
      this.#gradients.delete(at);
      this.#release(gradient);
    }
  }

  #release(gradient: HeldReduced | undefined): void {
    if (gradient === undefined) return;
    void this.#options.exchange.releaseReduced(gradient).catch(() => undefined);
  }

  #lowestThatCanGoOn(): number | null {
    const positions = [...new Set(this.#positions)].sort((a, b) => a - b);
    const able = positions.find((step) => {
      const entry = this.#entries.get(step);
      return entry !== undefined && this.#gradients.get(step)?.gradDigest === entry.math.gradDigest;
    });
    return able ?? null;
  }

  async #finish(): Promise<CaughtUp | null> {
    const position = this.#positions[0] ?? NOT_HERE;
    if (position < this.#head || this.#positions.some((other) => other !== position)) return null;
    const mathHash = this.#mathHashAt(position);
    if (mathHash === null) return null;
    setPosition(this.#options.state, position);
    const { stateDigest } = await this.#options.engine.adoptState();
    return { position, mathHash, stateDigest };
  }

  /** Null until the Commit that leads there was heard. */
  #mathHashAt(position: number): string | null {
    const { welcome } = this.#options;
    if (position === welcome.step) return welcome.mathHash;
    return this.#entries.get(position - 1)?.mathHash ?? null;
  }
}
