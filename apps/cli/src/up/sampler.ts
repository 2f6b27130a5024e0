// Samples from fixed prompts while a run trains: a checkpoint continues them in a process of its own, at low priority, and
// the texts go to samples.jsonl. The members are not asked, so that a sample costs the run no step and no bit, whatever
// becomes of it; one that takes longer than the next checkpoint simply makes that one wait its turn.
import { spawn } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { checkpointName } from '@cria/checkpoint';
import type { RunConfig } from '@cria/protocol';
import { CriaError, type Clock, type Log } from '@cria/runtime';
import { openStore } from '../checkpoint/open-store.js';
import { CRIA_SCRIPT } from '../places.js';

export interface SamplerOptions {
  readonly config: RunConfig;
  readonly outDir: string;
  readonly engine: string;
  readonly device: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Its end kills a sample under way. */
  readonly signal: AbortSignal;
}

const SAMPLES_FILE = 'samples.jsonl';
const TIMEOUT_MS = 300_000;

export class Sampler {
  readonly #options: SamplerOptions;
  #lastStep = 0;
  /** The newest checkpoint that waits for its turn; older ones are passed over. */
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

  /** Waits for the samples under way. */
  async idle(): Promise<void> {
    while (this.#working !== null) await this.#working;
  }

  async #work(): Promise<void> {
    while (this.#next !== null && !this.#options.signal.aborted) {
      const step = this.#next;
      this.#next = null;
      await this.#sample(step).catch((error: unknown) =>
        this.#options.log.warn({ step, error: String(error) }, 'no sample of this checkpoint'),
      );
    }
  }

  async #sample(step: number): Promise<void> {
    const { config, outDir, clock } = this.#options;
    const checkpoint = join(openStore(outDir, config).location, checkpointName(step));
    for (const [prompt, promptText] of config.samples.prompts.entries()) {
      const { text, tokens } = await this.#continue(checkpoint, promptText);
      const sample = { step, prompt, promptText, text, tokens, worker: '', wallMs: clock.wallMs() };
      await appendFile(join(outDir, SAMPLES_FILE), `${JSON.stringify(sample)}\n`);
    }
  }

  #continue(checkpoint: string, prompt: string): Promise<{ text: string; tokens: number }> {
    const { config, engine, device, signal } = this.#options;
    const args = [
      ...['generate', checkpoint, '--json', '--prompt', prompt, '--temperature', '0'],
      ...['--max-tokens', String(config.samples.maxTokens), '--engine', engine, '--device', device],
    ];
    const child = spawn(process.execPath, [CRIA_SCRIPT, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      signal,
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    lower(child.pid);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve(JSON.parse(output) as { text: string; tokens: number });
        else reject(new CriaError('CHILD_FAILED', `generate ended with ${code}: ${output.slice(0, 300)}`));
      });
    });
  }
}

/** Training goes first. */
function lower(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
}
