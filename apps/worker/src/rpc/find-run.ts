// From a seat to the run behind it.
import { validateRunConfig, versionConflict, type DescribeReply } from '@cria/protocol';
import type { TakenSeat } from '@cria/queue';
import { CriaError, type Clock } from '@cria/runtime';
import type { RunFacts } from '../run-session.js';
import { describe } from './control-link.js';

/**
 * What the run is, from the first coordinator that answers.
 *
 * @throws VERSION_MISMATCH when that one is of another version, PEER_UNREACHABLE when none answers
 */
export async function findRun(
  seat: Pick<TakenSeat, 'addresses' | 'runId' | 'runName'>,
  clock: Clock,
): Promise<RunFacts> {
  let last: unknown = null;
  for (const address of seat.addresses) {
    let reply: DescribeReply;
    try {
      reply = await describe(address, seat.runId, clock);
    } catch (error) {
      last = error;
      continue;
    }
    if (reply.runId !== seat.runId) continue;
    const conflict = versionConflict(reply.protocolVersion, `the coordinator at ${address}`);
    if (conflict !== null) throw new CriaError('VERSION_MISMATCH', conflict);
    return factsOf(reply);
  }
  throw new CriaError('PEER_UNREACHABLE', `no coordinator of run ${seat.runName} answers`, { cause: last });
}

function factsOf(reply: DescribeReply): RunFacts {
  const { runId, runName, genesis, fingerprint, gridBits, configJson } = reply;
  const config = validateRunConfig(JSON.parse(configJson), `the configuration of run ${runName}`);
  return { runId, runName, genesis, fingerprint, gridBits, config };
}
