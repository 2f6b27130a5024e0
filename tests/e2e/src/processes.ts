// Whom a test has to answer for. Children of `cria up` have sessions of their own, so neither a process group nor a
// parent's id finds them all; but they inherit their working directory, which no other process has (Linux only).
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { sep } from 'node:path';

export interface Process {
  readonly pid: number;
  /** Its command line. */
  readonly command: string;
}

/** Living processes whose working directory is `folder` or below it; zombies do not count. */
export function processesIn(folder: string): Process[] {
  const root = realpathSync(folder);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => isAtOrBelow(workingDirectoryOf(pid), root))
    .map((pid) => ({ pid: Number(pid), command: commandOf(pid) }));
}

/** SIGKILL to everybody in `folder` until nobody is left: a power cut. */
export function killAllIn(folder: string): void {
  for (let left = processesIn(folder); left.length > 0; left = processesIn(folder)) {
    for (const { pid } of left) kill(pid, 'SIGKILL');
  }
}

/** Signals one process; it may have ended meanwhile. */
export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether a process was stopped by a signal, all of it. */
export function isStopped(pid: number): boolean {
  try {
    return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function workingDirectoryOf(pid: string): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // It has ended, or it is somebody else's.
    return null;
  }
}

function isAtOrBelow(path: string | null, root: string): boolean {
  return path !== null && (path === root || path.startsWith(root + sep));
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '(ended)';
  }
}
