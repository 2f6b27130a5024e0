// Speaks HTTP to the coordinators of a run: the first that answers serves.
import type { RunStatus } from '@cria/coordinator';
import { CriaError } from '@cria/runtime';
import type { RunHandle } from './find-run.js';

const TIMEOUT_MS = 10_000;

export interface Found {
  readonly base: string;
  readonly status: RunStatus;
}

/** The run's status, from the first coordinator that answers. */
export async function fetchStatus(handle: RunHandle): Promise<Found> {
  const failures: string[] = [];
  for (const base of handle.bases) {
    try {
      const { runs } = (await getJson(`${base}/api/runs`)) as { runs: readonly RunStatus[] };
      const [status] = runs;
      if (status !== undefined) return { base, status };
      failures.push(`${base}: serves no run`);
    } catch (error) {
      failures.push(`${base}: ${CriaError.from(error).message}`);
    }
  }
  throw new CriaError('PEER_UNREACHABLE', `no coordinator answers: ${failures.join('; ')}`);
}

export type Wish = 'scale' | 'pause' | 'resume' | 'stop' | 'drain';

/** Sends a wish to the run; resolves when a coordinator has taken it. */
export async function sendWish(handle: RunHandle, wish: Wish, body: object = {}): Promise<RunStatus> {
  const { base, status } = await fetchStatus(handle);
  const leader = status.coordinators.find((coordinator) => coordinator.leader)?.address;
  const url = `${leader === undefined ? base : new URL(`http://${stripScheme(leader)}`).origin}/api/runs/${status.runId}/${wish}`;
  if (handle.token === null) {
    throw new CriaError('USAGE', `${wish} needs the run's token: --token or CRIA_TOKEN (run.json has it)`);
  }
  const response = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${handle.token}` },
    body: JSON.stringify(body),
  });
  await mustBeOk(response, url);
  return status;
}

function stripScheme(address: string): string {
  return address.replace(/^https?:\/\//, '');
}

async function getJson(url: string): Promise<unknown> {
  const response = await request(url, {});
  await mustBeOk(response, url);
  return response.json();
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new CriaError('PEER_UNREACHABLE', cause, { cause: error });
  }
}

async function mustBeOk(response: Response, url: string): Promise<void> {
  if (response.ok) return;
  const text = (await response.text()).slice(0, 300);
  const code = response.status === 401 || response.status === 403 ? 'USAGE' : 'RUN_FAILED';
  throw new CriaError(code, `${url} answered ${response.status}: ${text}`, {
    context: { status: response.status },
  });
}
