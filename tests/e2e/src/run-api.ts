// The HTTP API of a run under way, as a dashboard reads it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Status {
  readonly phase: string;
  readonly reason: string;
  readonly step: number;
  readonly term: number;
  readonly leader: string;
  readonly members: ReadonlyArray<{ readonly id: string; readonly pid: number; readonly role: string }>;
  readonly coordinators: ReadonlyArray<{
    readonly id: string;
    readonly pid: number;
    readonly address: string;
    readonly leader: boolean;
  }>;
  readonly seats: { readonly target: number; readonly waiting: number };
}

interface RunFile {
  readonly runId: string;
  readonly phase: string;
  readonly redisUrl: string;
  readonly token: string;
  readonly coordinators: ReadonlyArray<{
    readonly id: string;
    readonly pid: number;
    readonly httpAddress: string;
  }>;
}

const ANSWER_MS = 1000;

export function runFile(runPath: string): RunFile | null {
  const path = join(runPath, 'run.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RunFile) : null;
}

/** The answer of the newest term: a coordinator that Redis does not reach tells what was. Null when none answers. */
export async function statusOf(runPath: string): Promise<Status | null> {
  const file = runFile(runPath);
  const asked = (file?.coordinators ?? []).map(({ httpAddress }) => statusAt(httpAddress, file?.runId ?? ''));
  const answers = (await Promise.all(asked)).flatMap((status) => (status === null ? [] : [status]));
  const newest = Math.max(...answers.map(({ term }) => term));
  return answers.find(({ term }) => term === newest) ?? null;
}

/** What one coordinator says; null when it does not answer. */
export async function statusAt(httpAddress: string, runId: string): Promise<Status | null> {
  try {
    const url = `http://${httpAddress}/api/runs/${runId}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    return response.ok ? ((await response.json()) as Status) : null;
  } catch {
    return null;
  }
}
