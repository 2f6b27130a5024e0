import type { ExchangeStats, Hello } from '@cria/protocol';
import type { WorkerId } from '@cria/runtime';

export interface WorkerFigures {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly waitMs: number;
  readonly memoryBytes: number;
  readonly threads: number | null;
  /** Of Cria; empty where the worker did not say. */
  readonly version: string;
  /** null without a GPU, or where nobody measures it. */
  readonly gpu: { readonly use: number; readonly memoryBytes: number } | null;
}

const NOTHING: WorkerFigures = {
  ...{ bytesReceived: 0, bytesSent: 0, waitMs: 0, memoryBytes: 0 },
  ...{ threads: null, version: '', gpu: null },
};

/** What workers report about their exchanges; for displays and metrics. */
export class WorkerStats {
  readonly #figures = new Map<WorkerId, WorkerFigures>();
  #stepBytes = 0;
  #stepWaitMs = 0;
  #stepReports = 0;

  hello(worker: WorkerId, hello: Hello): void {
    const { threads, version } = hello;
    this.#figures.set(worker, { ...NOTHING, threads: threads > 0 ? threads : null, version });
  }

  prepare(worker: WorkerId, stats: ExchangeStats | undefined): void {
    if (stats === undefined) return;
    const before = this.of(worker);
    this.#figures.set(worker, {
      ...before,
      bytesReceived: before.bytesReceived + stats.bytesReceived,
      bytesSent: before.bytesSent + stats.bytesSent,
      waitMs: stats.waitMs,
      memoryBytes: stats.memoryBytes,
      gpu:
        stats.gpu === undefined ? null : { use: stats.gpu.percent / 100, memoryBytes: stats.gpu.memoryBytes },
    });
    this.#stepBytes += stats.bytesReceived;
    this.#stepWaitMs += stats.waitMs;
    this.#stepReports += 1;
  }

  of(worker: WorkerId): WorkerFigures {
    return this.#figures.get(worker) ?? NOTHING;
  }

  /** Bytes received by all members and their mean wait in the step that ended; counts anew from here. */
  takeStep(): { wireBytes: number; waitMs: number; reports: number } {
    const taken = {
      wireBytes: this.#stepBytes,
      waitMs: this.#stepReports === 0 ? 0 : this.#stepWaitMs / this.#stepReports,
      reports: this.#stepReports,
    };
    this.#stepBytes = this.#stepWaitMs = this.#stepReports = 0;
    return taken;
  }
}
