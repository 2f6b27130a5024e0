import type { ExchangeStats, Hello } from '@cria/protocol';
import type { WorkerId } from '@cria/runtime';

export interface WorkerFigures {
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly waitMs: number;
  readonly memoryBytes: number;
  readonly threads: number | null;
}

const NOTHING: WorkerFigures = { bytesReceived: 0, bytesSent: 0, waitMs: 0, memoryBytes: 0, threads: null };

/** What workers report about their exchanges; for displays and metrics. */
export class WorkerStats {
  readonly #figures = new Map<WorkerId, WorkerFigures>();
  #stepBytes = 0;
  #stepWaitMs = 0;
  #stepReports = 0;

  hello(worker: WorkerId, hello: Hello): void {
    this.#figures.set(worker, { ...NOTHING, threads: hello.threads > 0 ? hello.threads : null });
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
