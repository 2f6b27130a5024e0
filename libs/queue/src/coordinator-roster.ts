// Which coordinators a run has: each says so now and then, whoever falls silent is forgotten. Nothing is decided
// by it; the leader tells workers the addresses, and `cria status` shows them.
import { coordinatorId, type CoordinatorId, type RunId } from '@cria/runtime';
import type { RedisConnection } from './connection.js';
import { rosterKey, rosterSeenKey } from './keys.js';
import { ANNOUNCE_COORDINATOR } from './lua/announce-coordinator.js';

export interface CoordinatorInfo {
  readonly id: CoordinatorId;
  /** HOST:PORT of its control service. */
  readonly address: string;
  /** HOST:PORT of its HTTP API, or null. */
  readonly httpAddress: string | null;
  readonly host: string;
  readonly pid: number;
}

export interface SeenCoordinator extends CoordinatorInfo {
  /** Since its last announcement, by Redis' clock. */
  readonly ageMs: number;
}

export interface CoordinatorRoster {
  /** Says that this one is there; answers all that are. */
  announce(self: CoordinatorInfo): Promise<SeenCoordinator[]>;
  list(): Promise<SeenCoordinator[]>;
  /** Takes one off the list, as it leaves. */
  leave(id: CoordinatorId): Promise<void>;
}

/** @param options.forgetMs silence after which a coordinator is no longer listed (default 10,000) */
export function redisCoordinatorRoster(
  connection: RedisConnection,
  runId: RunId,
  { forgetMs = 10_000 }: { forgetMs?: number } = {},
): CoordinatorRoster {
  const keys = [rosterKey(runId), rosterSeenKey(runId)];
  const run = async (id: string, body: string): Promise<SeenCoordinator[]> => {
    const reply = await connection.run(ANNOUNCE_COORDINATOR, keys, [id, body, forgetMs]);
    return parse(reply as readonly (string | number)[]);
  };
  return {
    announce: (self) => run(self.id, JSON.stringify(self)),
    list: () => run('', ''),
    leave: async (id) => {
      await connection.call('leaving the list of coordinators', (client) => client.zrem(keys[1] ?? '', id));
    },
  };
}

function parse(reply: readonly (string | number)[]): SeenCoordinator[] {
  const all: SeenCoordinator[] = [];
  for (let index = 0; index < reply.length; index += 3) {
    const info = JSON.parse(String(reply[index + 1])) as CoordinatorInfo;
    all.push({ ...info, id: coordinatorId(info.id), ageMs: Number(reply[index + 2]) });
  }
  return all.sort((a, b) => (a.id < b.id ? -1 : 1));
}
