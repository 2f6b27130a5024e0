// Speaks HTTP to the coordinators of a run: the first that answers serves.
import type { RunStatus } from '@cria/coordinator';
import { CriaError } from '@cria/runtime';
import type { RunHandle } from './find-run.js';

const TIMEOUT_MS = 10_000;

/** What is asked first of an answer: whether it comes from the coordinator that leads. */
interface Answer {
  readonly phase: string;
  readonly members: readonly unknown[];
}

/** A coordinator that only stands by knows neither workers nor phase. */
export function knowsWorkers({ phase, members }: Answer): boolean {
  return members.length > 0 || phase !== 'starting';
}

/** The run's status from the coordinator that leads; where none does, from the first that answers. */
export async function fetchStatus(handle: RunHandle): Promise<RunStatus> {
  const answers = await liveRuns(handle.bases);
  const chosen = answers.find(({ status }) => knowsWorkers(status)) ?? answers[0];
  if (chosen === undefined) throw new CriaError('RUN_NOT_FOUND', 'no coordinator serves a run');
  return chosen.status;
}

/**
 * What every coordinator that answers says of the run that it serves, in the order of their addresses.
 *
 * @throws PEER_UNREACHABLE when none answers
 */
export async function liveRuns(
  bases: readonly string[],
): Promise<ReadonlyArray<{ readonly base: string; readonly status: RunStatus }>> {
  const answers = await Promise.allSettled(
    bases.map(async (base) => ({ base, status: await statusAt(base) })),
  );
  const failures = answers.flatMap((answer, index) =>
    answer.status === 'rejected' ? [{ base: bases[index], error: CriaError.from(answer.reason) }] : [],
  );
  if (failures.length < bases.length) {
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }
  throw noneAnswers(failures.map(({ base, error }) => `${base}: ${error.message}`));
}

async function statusAt(base: string): Promise<RunStatus> {
  const { runs, live } = (await getJson(`${base}/api/runs`)) as {
    runs: ReadonlyArray<{ runId: string }>;
    live?: string | null;
  };
  const id = live ?? runs[0]?.runId;
  if (id === undefined) throw new CriaError('RUN_NOT_FOUND', 'it serves no run');
  return (await getJson(`${base}/api/runs/${encodeURIComponent(id)}`)) as RunStatus;
}

export type Wish = 'scale' | 'pause' | 'resume' | 'stop';

/** Sends a wish to the run; resolves when a coordinator has taken it. */
export function sendWish(handle: RunHandle, wish: Wish, body: object = {}): Promise<RunStatus> {
  return post(handle, { what: wish, path: wish, body });
}

/** Says that somebody knows of an alert. */
export async function acknowledgeAlert(handle: RunHandle, alert: string): Promise<void> {
  const path = `alerts/${encodeURIComponent(alert)}/acknowledge`;
  await post(handle, { what: 'acknowledging', path, body: {} });
}

async function post(
  handle: RunHandle,
  { what, path, body }: { what: string; path: string; body: object },
): Promise<RunStatus> {
  const { token } = handle;
  if (token === null) {
    throw new CriaError('USAGE', `${what} needs the run's token: --token or CRIA_TOKEN (run.json has it)`);
  }
  const status = await fetchStatus(handle);
  await fromAny(handle, async (base) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const url = `${base}/api/runs/${status.runId}/${path}`;
    await request(url, { method: 'POST', headers, body: JSON.stringify(body) });
  });
  return status;
}

/** Asks one coordinator after the other; a refusal of the request itself ends the round. */
async function fromAny<T>({ bases }: RunHandle, ask: (base: string) => Promise<T>): Promise<T> {
  const failures: string[] = [];
  for (const base of bases) {
    try {
      return await ask(base);
    } catch (error) {
      const failure = CriaError.from(error);
      if (failure.code === 'USAGE') throw failure;
      failures.push(`${base}: ${failure.message}`);
    }
  }
  throw noneAnswers(failures);
}

function noneAnswers(failures: readonly string[]): CriaError {
  return new CriaError('PEER_UNREACHABLE', `no coordinator of the run answers: ${failures.join('; ')}`);
}

/** @throws PEER_UNREACHABLE or USAGE, with the status in the context */
export async function getJson(url: string): Promise<unknown> {
  return (await request(url, { headers: { accept: 'application/json' } })).json();
}

async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(
    (error: unknown) => {
      throw new CriaError('PEER_UNREACHABLE', reasonOf(error), { cause: error });
    },
  );
  if (response.ok) return response;
  const sentence = `it answers ${response.status}: ${await problemOf(response)}`;
  // What was asked for is wrong (4xx): every other coordinator would say the same.
  const { status } = response;
  throw new CriaError(status < 500 ? 'USAGE' : 'PEER_UNREACHABLE', sentence, { context: { status } });
}

/** fetch hides the socket's own words in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}

async function problemOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } };
    return error?.message ?? text.slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}
