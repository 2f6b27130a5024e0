// Writes checkpoints from stripes pulled out of the members, and finds the one to go on from (PROTOCOL section 7).
import {
  CheckpointWriter,
  newestVerified,
  pruneCheckpoints,
  type CheckpointStore,
  type Manifest,
  type NamedBytes,
} from '@cria/checkpoint';
import { readLedger, type LedgerEntry } from '@cria/ledger';
import type { ParameterLayout } from '@cria/model/config';
import type { Term } from '@cria/queue';
import { CriaError, pauseAt, type Clock, type Log } from '@cria/runtime';
import type { CheckpointView } from '../http/run-view.js';
import { checkpointViews } from '../runs/checkpoint-views.js';
import type { StatePuller, StripeSource } from './state-puller.js';

export interface CheckpointKeeperOptions {
  readonly store: CheckpointStore;
  readonly layout: ParameterLayout;
  readonly keep: number;
  readonly runId: string;
  readonly genesis: string;
  /** config.json, generation_config.json, tokenizer files. */
  readonly files: readonly NamedBytes[];
  readonly fingerprints: Readonly<Record<string, string | null>>;
  /** Mathematical part of the configuration. */
  readonly mathConfig: unknown;
  readonly tokensPerStep: number;
  readonly ledgerPath: string;
  readonly puller: StatePuller;
  /** A checkpoint is damaged; the sentence is for people. */
  readonly onRejected: (step: number, text: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a checkpoint is made from. */
export interface CheckpointOrder {
  readonly step: number;
  readonly sources: readonly StripeSource[];
  readonly term: Term;
  /** Counts through the leadership: two orders of one step do not share files. */
  readonly number: number;
  /** Heads of both chains at `step`. */
  readonly head: { readonly mathHash: string; readonly opsHash: string };
  /** Digest that the members reported for state[step]; resolves when the first of them has. */
  readonly stateDigest: Promise<string>;
  readonly signal: AbortSignal;
}

export class CheckpointKeeper {
  readonly #options: CheckpointKeeperOptions;
  readonly #views = new Map<number, CheckpointView>();
  /** Steps whose bytes this process has read or written. */
  readonly #verified = new Set<number>();
  readonly #damaged = new Map<number, string>();
  #newest: Manifest | null = null;

  constructor(options: CheckpointKeeperOptions) {
    this.#options = options;
  }

  /** Verifies from the newest one back; says which ones were passed over. */
  async findNewest(): Promise<Manifest | null> {
    const { store, onRejected } = this.#options;
    const { manifest, rejected } = await newestVerified(store);
    for (const { step, file, reason } of rejected) {
      this.#damaged.set(step, `${file}: ${reason}`);
      onRejected(step, `checkpoint of step ${step} does not verify (${file}: ${reason}): passed over`);
    }
    this.#newest = manifest;
    if (manifest !== null) this.#verified.add(manifest.step);
    await this.#refreshViews();
    return manifest;
  }

  /** The manifest of the newest checkpoint that this process found or wrote. */
  get newest(): Manifest | null {
    return this.#newest;
  }

  views(): readonly CheckpointView[] {
    return [...this.#views.values()].sort((a, b) => a.step - b.step);
  }

  /** Steps of the checkpoints that are complete, ascending. */
  steps(): number[] {
    return this.views().map(({ step }) => step);
  }

  /** Entries that the checkpoint of `step` holds. */
  async ledgerOf(step: number): Promise<LedgerEntry[]> {
    const { store } = this.#options;
    const stored = (await store.list()).find((one) => one.step === step && one.complete);
    if (stored === undefined) return [];
    const entries: LedgerEntry[] = [];
    for await (const entry of readLedger(`${store.location}/${stored.name}/ledger.jsonl`))
      entries.push(entry);
    return entries;
  }

  /** Pulls the stripes, writes the files, publishes the manifest, removes what retention does not keep. */
  async write(order: CheckpointOrder): Promise<Manifest> {
    const { store, step } = { store: this.#options.store, step: order.step };
    const writer = await CheckpointWriter.begin({
      store,
      step,
      layout: this.#options.layout,
      files: this.#options.files,
      owner: `term-${order.term.number}-${order.term.leader}-${order.number}`,
      clock: this.#options.clock,
    });
    try {
      const pulledDigest = await this.#pull(writer, order);
      const { manifest } = await writer.commit(this.#facts(order, await this.#digest(order, pulledDigest)));
      this.#newest = manifest;
      this.#verified.add(step);
      this.#damaged.delete(step);
      this.#views.delete(step);
      await this.#prune(step);
      await this.#refreshViews();
      return manifest;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async #pull(writer: CheckpointWriter, { step, sources, term, signal }: CheckpointOrder): Promise<string> {
    const { puller, layout } = this.#options;
    return puller.pull(
      { step, sources, term, signal, length: layout.paddedSize },
      async ({ kind, from, values }) => {
        await writer.writePart(kind, from, values);
        pauseAt('checkpointing', step);
      },
    );
  }

  async #digest(order: CheckpointOrder, pulledDigest: string): Promise<string> {
    const reported = await order.stateDigest;
    if (reported === pulledDigest) return reported;
    throw new CriaError(
      'STATE_DAMAGED',
      `the state of step ${order.step} arrived with digest ${pulledDigest}, its members have ${reported}`,
    );
  }

  #facts(order: CheckpointOrder, stateDigest: string): Parameters<CheckpointWriter['commit']>[0] {
    const { runId, genesis, tokensPerStep, fingerprints, mathConfig, ledgerPath } = this.#options;
    const { step, head, term, sources, signal } = order;
    return {
      runId,
      genesis,
      tokens: step * tokensPerStep,
      mathHash: head.mathHash,
      opsHash: head.opsHash,
      stateDigest,
      term: { number: term.number, leader: term.leader },
      members: sources.map((source) => source.worker),
      fingerprints,
      config: mathConfig,
      ledger: entriesBelow(ledgerPath, step),
      signal,
    };
  }

  /** A failure here costs disk, not the run. */
  async #prune(verifiedStep: number): Promise<void> {
    const { store, keep, log } = this.#options;
    try {
      const { removed } = await pruneCheckpoints(store, { keep, verifiedStep });
      if (removed.length > 0) log.info({ removed }, 'older checkpoints removed');
    } catch (error) {
      log.warn({ error: String(error) }, 'older checkpoints could not be removed');
    }
  }

  async #refreshViews(): Promise<void> {
    for (const view of await checkpointViews(this.#options.store, this.#views)) {
      const problem = this.#damaged.get(view.step);
      if (problem !== undefined) this.#views.set(view.step, { ...view, verify: 'damaged', problem });
      else if (this.#verified.has(view.step)) this.#views.set(view.step, { ...view, verify: 'verified' });
    }
  }
}

async function* entriesBelow(path: string, step: number): AsyncGenerator<LedgerEntry> {
  if (step === 0) return;
  for await (const entry of readLedger(path)) {
    yield entry;
    if (entry.math.step === step - 1) return;
  }
}
