// The processes of a run that this machine may signal: who they are changes all the time, so it is asked before each blow.
import { hostname } from 'node:os';
import { connectRedis, redisServerPid } from '@cria/queue';
import { createLog, systemClock } from '@cria/runtime';
import type { ChaosProcess, ChaosTarget } from '../decide/chaos.js';
import { baseOf } from '../run/find-run.js';
import { fetchStatus } from '../run/run-client.js';
import { readRunFile } from '../run/run-file.js';

/** What can be hit now; empty while nobody answers. */
export async function processesOf(
  runDir: string,
  targets: readonly ChaosTarget[],
): Promise<{ step: number; processes: ChaosProcess[] }> {
  const file = readRunFile(runDir);
  if (file === null) return { step: 0, processes: [] };
  const bases = file.coordinators.map(({ httpAddress }) => baseOf(httpAddress));
  const status = await fetchStatus({ bases, token: null, outDir: runDir }).catch(() => null);
  const members = (status?.members ?? []).filter(({ host }) => host === hostname());
  const processes: ChaosProcess[] = members.map(({ id, pid }) => ({ target: 'workers', name: id, pid }));
  const leader = status?.coordinators.find((one) => one.leader);
  if (leader !== undefined && isOfThisMachine(leader.address))
    processes.push({ target: 'leader', name: leader.id, pid: leader.pid });
  const redis = targets.includes('redis') ? await redisPid(file.redisUrl) : null;
  if (redis !== null) processes.push({ target: 'redis', name: 'redis', pid: redis });
  return { step: status?.step ?? 0, processes };
}

async function redisPid(url: string): Promise<number | null> {
  if (!isOfThisMachine(new URL(url).host)) return null;
  const log = createLog({ name: 'chaos', level: 'fatal' });
  try {
    const connection = await connectRedis(url, { clock: systemClock, log, connectTimeoutMs: 500 });
    return await redisServerPid(connection).finally(() => connection.close());
  } catch {
    return null;
  }
}

function isOfThisMachine(address: string): boolean {
  return /^(127\.|localhost|\[?::1)/.test(address);
}
