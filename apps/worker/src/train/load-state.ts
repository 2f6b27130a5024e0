import type { ExchangeThread } from '@cria/collective';
import type { Welcome } from '@cria/protocol';
import { CriaError } from '@cria/runtime';
import type { EngineClient } from './engine-client.js';

/**
 * Reads state[welcome.step] of a checkpoint into the shared state and gives it to the engine.
 *
 * @returns the state digest
 * @throws STATE_DAMAGED when what arrived is not the state that the ledger names; whatever the pull throws
 */
export async function loadState(
  welcome: Welcome,
  parts: { exchange: ExchangeThread; engine: EngineClient; numParts: number; signal: AbortSignal },
): Promise<string> {
  const { term, step, donors } = welcome;
  if (term === undefined) throw new CriaError('PROTOCOL_VIOLATION', 'a Welcome without a term');
  const wanted = Array.from({ length: parts.numParts }, (_, part) => part);
  const arrived = await parts.exchange.pullState({ term, step, donors, parts: wanted }, parts.signal);
  const other = arrived.find((part) => part.position !== step);
  if (other !== undefined) {
    throw new CriaError('STATE_DAMAGED', `part ${other.part} came from step ${other.position}, not ${step}`);
  }
  const { stateDigest } = await parts.engine.adoptState();
  if (welcome.stateDigest !== '' && welcome.stateDigest !== stateDigest) {
    throw new CriaError(
      'STATE_DAMAGED',
      `the state of step ${step} has digest ${stateDigest}, not ${welcome.stateDigest}`,
    );
  }
  return stateDigest;
}
