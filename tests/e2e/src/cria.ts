// The committed launcher as a child process, as a person runs it.
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const CRIA = fileURLToPath(new URL('../../../cria', import.meta.url));

export interface CriaEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CriaProcess {
  readonly pid: number;
  readonly ended: Promise<CriaEnd>;
  /** What it has said so far. */
  readonly stderr: () => string;
}

export interface CriaOptions {
  /** Working directory. */
  readonly cwd: string;
  /** Added to the environment; variables that decide for `cria` are taken out of it. */
  readonly env?: NodeJS.ProcessEnv;
}

export function startCria(args: readonly string[], options: CriaOptions): CriaProcess {
  const child = spawn(process.execPath, [CRIA, ...args], {
    cwd: options.cwd,
    env: { ...neutralEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()));
  return { pid: child.pid ?? -1, ended: endOf(child, output), stderr: () => output.stderr };
}

/** Runs a command to its end. */
export function runCria(args: readonly string[], options: CriaOptions): Promise<CriaEnd> {
  return startCria(args, options).ended;
}

/** The last line of stdout: under `--json` the command's one object. Throws with what was there instead. */
export function lastObject<T>({ stdout, stderr }: CriaEnd): T {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as T;
  } catch {
    throw new Error(`no JSON object at the end of stdout: ${JSON.stringify(stdout)}\nstderr:\n${stderr}`);
  }
}

function endOf(child: ChildProcess, output: { stdout: string; stderr: string }): Promise<CriaEnd> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** Whoever runs the tests may have a Redis or a run of their own in the environment. */
function neutralEnvironment(): NodeJS.ProcessEnv {
  const isOurs = (name: string): boolean => name.startsWith('CRIA_') || name === 'REDIS_URL';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOurs(name)));
}
