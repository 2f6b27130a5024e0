// Every worker has one core and no other, so that who survives does not become faster by the death of the others.
import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { systemCode } from '@cria/runtime';
import type { Stage } from '../stage.js';

const LOOK_MS = 100;

/** Binds workers as they come. @returns ends it */
export function oneCoreEach(stage: Stage): () => void {
  const bound = new Set<number>();
  const look = (): void => {
    for (const [place, pid] of stage.run.children()) {
      const number = /^worker-(\d+)$/.exec(place)?.[1];
      if (number === undefined || bound.has(pid)) continue;
      bound.add(pid);
      bind(pid, Number(number) % availableParallelism());
    }
  };
  const timer = setInterval(look, LOOK_MS);
  return () => clearInterval(timer);
}

/** All of its threads; those that it starts later are bound as they are. */
function bind(pid: number, core: number): void {
  try {
    execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(core), String(pid)], {
      stdio: 'ignore',
    });
  } catch (error) {
    // The worker may be gone already; without the tool there is nothing to measure.
    if (systemCode(error) === 'ENOENT') throw error;
  }
}
