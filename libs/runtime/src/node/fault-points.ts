// Named places where a test can stop a process, or make something go wrong in it: the kill matrix reaches every point of
// the protocol by name instead of by sleeping and hoping. Without CRIA_FAULT_POINTS nothing here does anything.
//
// CRIA_FAULT_POINTS names a folder. A file `<point>` in it (or `<point>@<step>`) arms the point; the first process
// that comes there takes the file away by renaming it to `<point>.taken-<pid>`, so each arming hits once.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../errors.js';

const folder = process.env['CRIA_FAULT_POINTS'] ?? '';

/** Whether any point can be armed: for hooks that would cost something. */
export const hasFaultPoints = folder !== '';

/**
 * The whole process (all of its threads) stands still here, by SIGSTOP, when the point is armed, until somebody sends
 * SIGCONT or SIGKILL.
 */
export function pauseAt(point: string, step: number): void {
  if (faultAt(point, step)) process.kill(process.pid, 'SIGSTOP');
}

/** True for the first process that comes here after the point was armed. */
export function faultAt(point: string, step: number): boolean {
  return hasFaultPoints && (take(`${point}@${step}`, point) || take(point, point));
}

/** True for every process, as long as the file is there: what goes wrong wherever it is computed. */
export function standingFault(point: string): boolean {
  return hasFaultPoints && existsSync(join(folder, point));
}

function take(file: string, point: string): boolean {
  const path = join(folder, file);
  if (!existsSync(path)) return false;
  try {
    renameSync(path, join(folder, `${point}.taken-${process.pid}`));
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
