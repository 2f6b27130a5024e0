// A child process that is a `cria` command of its own, its output in a file.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { CriaError, sleep, type Clock } from '@cria/runtime';
import type { Exit } from '../decide/supervise.js';
import { CRIA_SCRIPT } from '../places.js';

/** A running process, however it was started. */
export interface Child {
  readonly pid: number;
  /** Resolves when it has ended, however. */
  readonly closed: Promise<Exit>;
  /** SIGTERM, and SIGKILL after `graceMs`; resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
}

/** What our own flags and variables have decided stands in the child's arguments; it must not decide again. */
const RESOLVED_VARIABLES =
  /^CRIA_(CONFIG|SET|OUT|STEPS|WORKERS|ENGINE|DEVICE|THREADS|HTTP_PORT|COORDINATORS|RUN)$/;

export function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !RESOLVED_VARIABLES.test(name)));
}

/**
 * Starts `cria <args>`, stdout and stderr appended to `logFile`.
 *
 * @throws CriaError STORAGE_FAILED when the log cannot be opened, CHILD_FAILED when there is no process
 */
export async function startChild(options: {
  args: readonly string[];
  logFile: string;
  clock: Clock;
  /** Who runs the command; tests put a stand-in here. */
  script?: string;
}): Promise<Child> {
  const { args, logFile, clock, script = CRIA_SCRIPT } = options;
  const log = openLog(logFile);
  try {
    // Of its own session: Ctrl-C in the terminal is for us, and we stop workers before the coordinator.
    const process_ = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', log, log],
      env: childEnvironment(process.env),
      detached: true,
    });
    const closed = new Promise<Exit>((resolve) => {
      process_.once('error', () => resolve({ code: null, signal: null }));
      process_.once('exit', (code, signal) => resolve({ code, signal }));
    });
    if (process_.pid === undefined) {
      throw new CriaError('CHILD_FAILED', `cannot start \`cria ${args[0]}\`: no process could be made`);
    }
    const stop = (graceMs: number): Promise<void> =>
      stopProcess({ kill: (signal) => process_.kill(signal), closed, clock, graceMs });
    return { pid: process_.pid, closed, stop };
  } finally {
    closeSync(log);
  }
}

function openLog(file: string): number {
  try {
    return openSync(file, 'a');
  } catch (error) {
    throw new CriaError('STORAGE_FAILED', `cannot write the log ${file}: ${String(error)}`, { cause: error });
  }
}

async function stopProcess(options: {
  kill: (signal: NodeJS.Signals) => boolean;
  closed: Promise<Exit>;
  clock: Clock;
  graceMs: number;
}): Promise<void> {
  const { kill, closed, clock, graceMs } = options;
  kill('SIGTERM');
  const patience = new AbortController();
  const impatience = sleep(clock, graceMs, patience.signal).then(
    () => kill('SIGKILL'),
    () => undefined,
  );
  await closed;
  patience.abort();
  await impatience;
}
