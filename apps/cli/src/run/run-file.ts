// run.json: how a coordinator tells commands on this machine where its run is and how it goes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunFile } from '@cria/coordinator';
import { CriaError, systemCode } from '@cria/runtime';

export const RUN_FILE = 'run.json';

/** The run's file; null when there is none (yet). Throws RUN_NOT_FOUND when it cannot be understood. */
export function readRunFile(outDir: string): RunFile | null {
  const path = join(outDir, RUN_FILE);
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as RunFile;
    // A run that another program logs has nobody to speak to.
    return { ...file, coordinators: file.coordinators ?? [] };
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return null;
    throw new CriaError('RUN_NOT_FOUND', `cannot read ${path}: ${String(error)}`, { cause: error });
  }
}

/** Whether the run has not ended and one of its coordinators is a living process of this machine. */
export function isAlive(file: RunFile): boolean {
  const isOpen = file.phase === 'running' || file.phase === 'paused';
  return isOpen && file.coordinators.some(({ pid }) => isLivingProcess(pid));
}

function isLivingProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Ended, and nobody has asked how: an orphan in a container whose first process does not care. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
