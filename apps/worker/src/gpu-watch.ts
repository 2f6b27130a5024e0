// How busy a worker's GPU is, for people: asked of NVIDIA's own tool every few seconds, since no engine knows it. Where the tool
// is missing or says something else, nothing is told, and training never waits for it.
import { execFile } from 'node:child_process';
import type { GpuUse } from '@cria/protocol';
import type { Clock, Log, Timer } from '@cria/runtime';

const ASK_EVERY_MS = 5_000;
const ANSWER_MS = 4_000;
const MIB = 2 ** 20;

export interface GpuWatchOptions {
  /** `cpu` or `cuda:N`; nothing is asked on a CPU. */
  readonly device: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Another program than the one on PATH, for tests. */
  readonly command?: string;
}

export class GpuWatch {
  readonly #options: GpuWatchOptions;
  #use: GpuUse | undefined;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(options: GpuWatchOptions) {
    this.#options = options;
  }

  /** The newest answer; undefined where there is none. */
  get use(): GpuUse | undefined {
    return this.#use;
  }

  start(): void {
    const index = /^cuda:(\d+)$/.exec(this.#options.device)?.[1];
    if (index !== undefined) this.#ask(index);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #ask(index: string): void {
    const { clock, log, command = 'nvidia-smi' } = this.#options;
    const query = ['--query-gpu=utilization.gpu,memory.used', '--format=csv,noheader,nounits', '-i', index];
    execFile(command, query, { timeout: ANSWER_MS }, (error, stdout) => {
      if (this.#stopped) return;
      this.#use = error === null ? parseGpuUse(stdout) : undefined;
      if (this.#use === undefined) return log.info({ error: error?.message, stdout }, 'GPU use is not known');
      this.#timer = clock.timer(ASK_EVERY_MS, () => this.#ask(index));
    });
  }
}

/** `97, 61000`: per cent and MiB; undefined for anything else (`[N/A]` on GPUs that are shared out). */
export function parseGpuUse(line: string): GpuUse | undefined {
  const numbers = /^\s*(\d+)\s*,\s*(\d+)\s*$/.exec(line);
  if (numbers === null) return undefined;
  return { percent: Number(numbers[1]), memoryBytes: Number(numbers[2]) * MIB };
}
