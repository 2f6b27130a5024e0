// What survives every process: the directory with ledger.jsonl and the checkpoints.
import type { LedgerEntry } from '@cria/ledger';
import type { SimTerm } from './redis-data.js';

export interface SimManifest {
  readonly step: number;
  readonly parts: readonly number[];
  readonly stateDigest: string;
  /** Entries 0 .. step-1. */
  readonly entries: readonly LedgerEntry[];
  readonly term: SimTerm;
}

/** ledger.jsonl as one leadership writes it; a later one's file takes its name, and this one writes into nothing. */
export interface SimLedgerFile {
  readonly entries: LedgerEntry[];
}

export class Durable {
  readonly #checkpoints = new Map<number, SimManifest>();
  #ledger: SimLedgerFile = { entries: [] };

  get ledger(): SimLedgerFile {
    return this.#ledger;
  }

  takeOverLedger(entries: readonly LedgerEntry[]): SimLedgerFile {
    this.#ledger = { entries: [...entries] };
    return this.#ledger;
  }

  /** The file is gone; whoever has it open writes into nothing. */
  loseLedger(): void {
    this.#ledger = { entries: [] };
  }

  newest(): SimManifest | null {
    const steps = [...this.#checkpoints.keys()];
    return steps.length === 0 ? null : (this.#checkpoints.get(Math.max(...steps)) ?? null);
  }

  at(step: number): SimManifest | null {
    return this.#checkpoints.get(step) ?? null;
  }

  /** The newest one no longer verifies: it is passed over, and may be written anew. */
  damageNewest(): void {
    const newest = this.newest();
    if (newest !== null) this.#checkpoints.delete(newest.step);
  }

  /** Put if absent. */
  put(manifest: SimManifest): void {
    if (!this.#checkpoints.has(manifest.step)) this.#checkpoints.set(manifest.step, manifest);
  }
}
