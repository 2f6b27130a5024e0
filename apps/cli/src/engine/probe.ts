// Which engine this machine's workers have. The process that asks has none itself: it starts a worker to find out.
import { spawn } from 'node:child_process';
import type { BackendName } from '@cria/model';
import { CriaError, ERROR_ACTIONS, type ErrorCode } from '@cria/runtime';
import { CRIA_SCRIPT } from '../places.js';
import { describeExit } from '../decide/supervise.js';
import { childEnvironment } from '../up/child.js';
import { lastWords } from '../up/last-words.js';
import type { EngineChoice } from './explain.js';

/** What `cria worker --probe --json` prints. */
export interface EngineProbe {
  readonly kind: 'native' | 'tfjs';
  readonly precision: 'f32' | 'bf16';
  /** What the tfjs engine computes on; `auto` for another engine. */
  readonly backend: 'auto' | BackendName;
  /** Of the pool that decides bits; `auto` where threads decide none. */
  readonly threads: 'auto' | number;
  /** One line, part of the genesis. */
  readonly fingerprint: string;
  /** For people: `tfjs wasm (SIMD)`. */
  readonly description: string;
  /** The same for people, with the reasons. */
  readonly choices: readonly EngineChoice[];
}

export interface ProbeRequest {
  readonly engine: 'auto' | 'native' | 'tfjs';
  readonly precision: 'auto' | 'f32' | 'bf16';
  readonly backend?: 'auto' | BackendName;
  /** Of an engine whose bits depend on them; left out: the machine's cores, at most 8. */
  readonly threads?: number;
  readonly device: string;
  /** Who runs the worker; tests put a stand-in here. */
  readonly script?: string;
}

const PROBE_TIMEOUT_MS = 120_000;

/** @throws CriaError of the worker itself (ENGINE_UNAVAILABLE with the remedy), or CHILD_FAILED */
export async function askWorker(request: ProbeRequest, signal?: AbortSignal): Promise<EngineProbe> {
  const { engine, precision, backend = 'auto', threads, device, script = CRIA_SCRIPT } = request;
  const flags = [
    ...['--engine', engine, '--precision', precision, '--backend', backend, '--device', device],
    ...(threads === undefined ? [] : ['--threads', String(threads)]),
  ];
  const { code, stdout, stderr } = await runNode([script, 'worker', '--probe', '--json', ...flags], signal);
  const answer = parseObject(stdout);
  if (code === 0 && answer !== null && 'fingerprint' in answer) return answer as EngineProbe;
  throw (
    errorOf(answer) ??
    new CriaError(
      'CHILD_FAILED',
      `the engine's self-test failed: ${lastWords(stderr).sentence || describeExit({ code, signal: null })}`,
    )
  );
}

function runNode(
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment(process.env),
    timeout: PROBE_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output }));
  });
}

function parseObject(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text.trim().split('\n').at(-1) ?? '');
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

function errorOf(answer: object | null): CriaError | null {
  if (answer === null || !('error' in answer)) return null;
  const { code, message } = answer.error as { code: string; message: string };
  return new CriaError(code in ERROR_ACTIONS ? (code as ErrorCode) : 'CHILD_FAILED', message);
}
