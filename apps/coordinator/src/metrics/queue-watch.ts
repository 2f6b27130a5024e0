import { readRunCounts, type RedisConnection } from '@cria/queue';
import type { Look } from '@cria/metrics';
import type { RunId } from '@cria/runtime';

/** Which queues of a run are paused. Nobody waits for Redis here: what it says is told at the next look. */
export class QueueWatch {
  readonly #redis: RedisConnection;
  readonly #runId: RunId;
  #paused: Look['pausedQueues'] = [];

  constructor(redis: RedisConnection, runId: RunId) {
    this.#redis = redis;
    this.#runId = runId;
  }

  paused(): Look['pausedQueues'] {
    void this.#ask().catch(() => undefined);
    return this.#paused;
  }

  async #ask(): Promise<void> {
    const counts = await readRunCounts(this.#redis, this.#runId);
    const queues = [
      { name: 'seats', isPaused: counts.seatsPaused, waiting: counts.seatsWaiting },
      { name: 'shards', isPaused: counts.shardsPaused, waiting: counts.shardsLeft },
    ];
    this.#paused = queues.filter(({ isPaused }) => isPaused).map(({ name, waiting }) => ({ name, waiting }));
  }
}
