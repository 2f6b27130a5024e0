// The hash `cria:runs`: which run has which name. A decision is taken on what was read and written only if
// nothing of it changed meanwhile, so two coordinators that start together agree on one run.
import { CriaError, runId, type RunId } from '@cria/runtime';
import type { RedisConnection } from './connection.js';
import { headKey, RUNS_KEY, runPrefix } from './keys.js';
import { SWAP_RUN_RECORDS } from './lua/swap-run-records.js';
import {
  decideClaim,
  decideRefill,
  type ClaimRequest,
  type ClaimResult,
  type Decision,
  type Records,
  type RefillResult,
  type RunRecord,
  type RunState,
  type StepsOf,
} from './run-record.js';

/** Which runs there are, and who may call itself by a name. */
export interface RunRegistry {
  /** A new run, the one that is there, or a mismatch; repeating it with the same `proposedId` is harmless. */
  claimRun(request: Omit<ClaimRequest, 'nowMs'>): Promise<ClaimResult>;
  /** Puts a run back after Redis lost it; of two runs with one name the one with more steps keeps it. */
  refillRun(record: RunRecord, steps: number): Promise<RefillResult>;
  /** False when the run is not in the list. */
  setRunState(id: RunId, state: RunState): Promise<boolean>;
  /** Oldest first. */
  listRuns(): Promise<RunRecord[]>;
  /** Removes a run's record and every key of it. */
  forgetRun(id: RunId): Promise<void>;
}

/** Two writers collide once in a blue moon; more than this is no collision but a fault. */
const SWAP_TRIES = 16;

export function redisRunRegistry(connection: RedisConnection): RunRegistry {
  return new RedisRunRegistry(connection);
}

class RedisRunRegistry implements RunRegistry {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  claimRun(request: Omit<ClaimRequest, 'nowMs'>): Promise<ClaimResult> {
    const timed = { ...request, nowMs: Math.trunc(this.#connection.clock.wallMs()) };
    return this.#decide((records, stepsOf) => decideClaim(records, stepsOf, timed));
  }

  refillRun(record: RunRecord, steps: number): Promise<RefillResult> {
    return this.#decide((records, stepsOf) => decideRefill(records, stepsOf, { record, steps }));
  }

  setRunState(id: RunId, state: RunState): Promise<boolean> {
    return this.#decide((records) => {
      const stored = [...records.values()].find((record) => record.id === id);
      return { result: stored !== undefined, writes: stored === undefined ? [] : [{ ...stored, state }] };
    });
  }

  async listRuns(): Promise<RunRecord[]> {
    const { records } = await this.#read();
    return [...records.values()].sort((a, b) => a.sinceMs - b.sinceMs || (a.id < b.id ? -1 : 1));
  }

  async forgetRun(id: RunId): Promise<void> {
    const { records, texts } = await this.#read();
    for (const { name } of [...records.values()].filter((record) => record.id === id)) {
      await this.#connection.run(SWAP_RUN_RECORDS, [RUNS_KEY], [name, texts.get(name) ?? '', '']);
    }
    await this.#unlinkKeys(`${runPrefix(id)}:*`);
  }

  async #decide<Result>(rule: (records: Records, stepsOf: StepsOf) => Decision<Result>): Promise<Result> {
    for (let attempt = 0; attempt < SWAP_TRIES; attempt++) {
      const { records, texts } = await this.#read();
      const steps = await this.#readSteps(records);
      const { result, writes } = rule(records, (id) => steps.get(id) ?? 0);
      const args = writes.flatMap((record) => [record.name, texts.get(record.name) ?? '', encode(record)]);
      if (args.length === 0 || (await this.#connection.run(SWAP_RUN_RECORDS, [RUNS_KEY], args)) === 1) {
        return result;
      }
    }
    throw new CriaError(
      'REDIS_UNAVAILABLE',
      `the list of runs changed ${SWAP_TRIES} times while it was read`,
    );
  }

  async #read(): Promise<{ records: Records; texts: ReadonlyMap<string, string> }> {
    const fields = await this.#connection.call('reading the list of runs', (c) => c.hgetall(RUNS_KEY));
    const texts = new Map(Object.entries(fields));
    const records = new Map<string, RunRecord>();
    for (const [name, text] of texts) {
      const record = decode(name, text);
      if (record !== null) records.set(name, record);
      else this.#connection.log.warn({ name, text }, `${RUNS_KEY} holds a record that is none of ours`);
    }
    return { records, texts };
  }

  async #readSteps(records: Records): Promise<Map<RunId, number>> {
    const steps = new Map<RunId, number>();
    for (const { id } of records.values()) {
      const head = await this.#connection.call('reading a head', (c) => c.hget(headKey(id), 'step'));
      steps.set(id, head === null ? 0 : Number(head) + 1);
    }
    return steps;
  }

  async #unlinkKeys(pattern: string): Promise<void> {
    let cursor = '0';
    do {
      const [next, keys] = await this.#connection.call('looking for a run’s keys', (c) =>
        c.scan(cursor, 'MATCH', pattern, 'COUNT', 1000),
      );
      if (keys.length > 0) await this.#connection.call('removing a run’s keys', (c) => c.unlink(...keys));
      cursor = next;
    } while (cursor !== '0');
  }
}

function encode({ id, genesis, state, sinceMs }: RunRecord): string {
  return JSON.stringify({ id, genesis, state, since: sinceMs });
}

/** Null for what nobody of us wrote. */
function decode(name: string, text: string): RunRecord | null {
  const fields = parseObject(text);
  if (fields === null) return null;
  const { id, genesis, state, since } = fields;
  if (typeof id !== 'string' || typeof genesis !== 'string' || typeof since !== 'number') return null;
  if (!/^[A-Za-z0-9_-]+$/.test(id)) return null;
  if (state !== 'running' && state !== 'finished' && state !== 'stopped') return null;
  return { name, id: runId(id), genesis, state, sinceMs: since };
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
