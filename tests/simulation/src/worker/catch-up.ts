// A shadow's copy of the state, rolled forward until all parts are at one position (apps/worker/src/train/catch-up.ts).
import type { LedgerEntry } from '@cria/ledger';
import type { Endpoint, Term, Welcome } from '@cria/protocol';
import type { Cluster } from '../cluster.js';
import { stateDigest } from '../model/mathematics.js';
import { Abort, forEachLimited, sleep, type Task } from '../world/future.js';
import type { SimProcess } from '../world/process.js';
import type { Engine } from './engine.js';
import type { Memory } from './memory.js';
import { pullPart, PullError } from './peer.js';

export interface CaughtUp {
  readonly position: number;
  readonly mathHash: string;
  readonly stateDigest: string;
}

export interface CatchUpOptions {
  readonly cluster: Cluster;
  readonly process: SimProcess;
  readonly workerId: string;
  readonly welcome: Welcome;
  readonly term: Term;
  readonly memory: Memory;
  readonly engine: Engine;
}

interface Gradient {
  readonly gradDigest: string;
  readonly sums: readonly number[];
}

const NOT_HERE = -1;
const WAIT_MS = 50;

export class CatchUp {
  readonly #options: CatchUpOptions;
  readonly #positions: number[];
  readonly #gradients = new Map<number, Gradient>();
  readonly #entries = new Map<number, LedgerEntry>();
  readonly #abort = new Abort();
  #head: number;

  constructor(options: CatchUpOptions) {
    this.#options = options;
    this.#head = options.welcome.step;
    this.#positions = options.memory.parts.map(() => NOT_HERE);
  }

  holdGradient(step: number, gradient: Gradient): void {
    this.#gradients.set(step, gradient);
  }

  commit(entry: LedgerEntry): void {
    this.#entries.set(entry.math.step, entry);
    this.#head = Math.max(this.#head, entry.math.step + 1);
  }

  get stopped(): boolean {
    return this.#abort.aborted;
  }

  stop(): void {
    this.#abort.abort('the copy was given up');
  }

  *run(): Task<CaughtUp> {
    for (;;) {
      this.#abort.throwIfAborted();
      yield* this.#rollForward();
      const done = this.#finish();
      if (done !== null) return done;
      const wanted = this.#wanted();
      if (wanted.length > 0) yield* this.#pull(wanted);
      else yield* sleep(this.#options.process, WAIT_MS, this.#abort);
    }
  }

  #wanted(): number[] {
    return this.#positions.flatMap((position, part) => {
      const missed = position < this.#head && !this.#gradients.has(position);
      return position === NOT_HERE || missed ? [part] : [];
    });
  }

  *#pull(parts: readonly number[]): Task {
    const { process, welcome, cluster } = this.#options;
    const donors = welcome.donors;
    const step = this.#head;
    const arrived: Array<{ part: number; position: number }> = [];
    yield* forEachLimited(
      process,
      parts,
      Math.max(1, 2 * donors.length),
      function* (this: CatchUp, part: number): Task {
        arrived.push({
          part,
          position: yield* pullState(this.#options, { donors, step, part, abort: this.#abort }),
        });
      }.bind(this),
    );
    for (const { part, position } of arrived) {
      this.#positions[part] = cluster.mutants.untaggedRanges === true ? step : position;
      this.#head = Math.max(this.#head, position);
    }
  }

  *#rollForward(): Task {
    for (;;) {
      const from = [...new Set(this.#positions)].sort((a, b) => a - b).find((step) => this.#canGoOn(step));
      if (from === undefined) return;
      const entry = this.#entries.get(from);
      const gradient = this.#gradients.get(from);
      const parts = this.#positions.flatMap((position, part) => (position === from ? [part] : []));
      const sums = new Map(parts.map((part) => [part, gradient?.sums[part] ?? 0]));
      yield* this.#options.engine.update({
        ...{ step: from, gradNorm: entry?.math.gradNorm ?? 0, sums },
        use: entry?.math.verdict === 'use',
        stateDigest: null,
      });
      for (const part of parts) this.#positions[part] = from + 1;
    }
  }

  #canGoOn(step: number): boolean {
    const entry = this.#entries.get(step);
    return entry !== undefined && this.#gradients.get(step)?.gradDigest === entry.math.gradDigest;
  }

  #finish(): CaughtUp | null {
    const position = this.#positions[0] ?? NOT_HERE;
    if (position < this.#head || this.#positions.some((other) => other !== position)) return null;
    const { welcome, memory } = this.#options;
    const mathHash = position === welcome.step ? welcome.mathHash : this.#entries.get(position - 1)?.mathHash;
    if (mathHash === undefined) return null;
    memory.setPosition(position);
    return { position, mathHash, stateDigest: stateDigest(memory.values) };
  }
}

/** Writes one part of a donor's state into the memory. @returns its position. Throws the last donor's error. */
export function* pullState(
  options: { cluster: Cluster; process: SimProcess; workerId: string; term: Term; memory: Memory },
  order: { donors: readonly Endpoint[]; step: number; part: number; abort: Abort },
): Task<number> {
  const { cluster, process, workerId, term, memory } = options;
  const { donors, step, part, abort } = order;
  let failure: unknown = new PullError('unreachable', 'there is nobody to copy the state from');
  for (let turn = 0; turn < donors.length; turn++) {
    const donor = donors[(part + turn) % donors.length] as Endpoint;
    const request = { to: donor.id, from: workerId, term, step, attempt: 0, content: 'state', part } as const;
    try {
      const stallMs = cluster.timeouts.suspectMs;
      const options = { address: donor.address, stallMs, notYetMs: 4 * stallMs, abort };
      const pulled = yield* pullPart(cluster, process, request, options);
      memory.parts[part] = { value: pulled.value, position: pulled.position, applying: false };
      return pulled.position;
    } catch (error) {
      if (abort.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}
