// Who writes run.json, and when: the leader, whenever what stands there has changed. Standbys leave it alone, so that
// commands find one view of the run and not several in turn.
import type { Desired } from '@cria/queue';
import type { RunFile, RunOutcome } from '../options.js';
import { writeRunFile } from './run-file.js';

export interface CoordinatorPlace {
  readonly id: string;
  readonly pid: number;
  readonly grpcAddress: string;
  readonly httpAddress: string;
}

/** What the file tells of the run; everything else in it stays as it is while a process lives. */
export interface RunFileFacts {
  readonly desired: Desired;
  /** The leader first: commands ask it first. */
  readonly coordinators: readonly CoordinatorPlace[];
  readonly end: { readonly ending: 'finished' | 'stopped' | 'failed'; readonly reason: string } | null;
  readonly outcome: RunOutcome | null;
}

export type RunFileIdentity = Pick<RunFile, 'run' | 'runId' | 'genesis' | 'redisUrl' | 'token'>;

export class RunFileKeeper {
  readonly #outDir: string;
  readonly #identity: RunFileIdentity;
  #written = '';

  constructor(outDir: string, identity: RunFileIdentity) {
    this.#outDir = outDir;
    this.#identity = identity;
  }

  /** Writes the file if it would differ from what this process wrote last. */
  update({ desired, coordinators, end, outcome }: RunFileFacts): void {
    const { revision, target, paused, stop } = desired;
    const file: RunFile = {
      ...this.#identity,
      phase: end?.ending ?? (paused ? 'paused' : 'running'),
      desired: { revision, target, paused, stop },
      coordinators,
      outcome,
      failure: end?.ending === 'failed' ? end.reason : null,
    };
    const text = JSON.stringify(file);
    if (text === this.#written) return;
    writeRunFile(this.#outDir, file);
    this.#written = text;
  }

  /** Another process has led meanwhile: what this one wrote last no longer stands there. */
  forget(): void {
    this.#written = '';
  }
}
