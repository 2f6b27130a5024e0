// Samples from fixed prompts while a run trains: a checkpoint continues them in a process of its own, at low priority. The
// members are not asked, so that a sample costs the run no step and no bit, whatever becomes of it; where samples take longer
// than the way to the next checkpoint, checkpoints in between are passed over, but never the newest.
import type { Log } from '@cria/runtime';
import { sampleCheckpoint, type SampleOptions } from './sample-checkpoint.js';

export interface SamplerOptions extends SampleOptions {
  readonly log: Log;
}

export class Sampler {
  readonly #options: SamplerOptions;
  #lastStep = 0;
  /** The newest checkpoint that waits for its turn. */
  #next: number | null = null;
  #working: Promise<void> | null = null;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** A checkpoint has been written: samples of it follow soon, if they are due. */
  checkpointWritten(step: number): void {
    const { prompts, everySteps } = this.#options.config.samples;
    if (prompts.length === 0 || everySteps === 0 || step < this.#lastStep + everySteps) return;
    this.#lastStep = step;
    this.#next = step;
    this.#working ??= this.#work().finally(() => (this.#working = null));
  }

  get isWorking(): boolean {
    return this.#working !== null;
  }

  /** Waits for the samples that were asked for. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#next !== null && !this.#options.signal.aborted) {
      const step = this.#next;
      this.#next = null;
      await sampleCheckpoint(step, this.#options).catch((error: unknown) =>
        this.#options.log.warn({ step, error: String(error) }, 'no sample of this checkpoint'),
      );
    }
  }
}
