/** What a worker process is started with. */
export interface WorkerOptions {
  readonly redisUrl: string;
  /** Serve this run alone; null = the oldest unfinished one that can be computed. */
  readonly run: string | null;
  readonly engine: 'auto' | 'native' | 'tfjs';
  /** `cpu` or `cuda:N`. */
  readonly device: string;
  readonly threads: number;
  readonly listenHost: string;
  /** End after the first run has ended instead of waiting for another. */
  readonly once: boolean;
}
