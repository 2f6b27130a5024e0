// A case of the kill matrix, done to a run: a process comes to the point and stands there, the victim is killed, whoever
// stands goes on, and everybody comes back.
import type { DisturbedRun } from '../disturbed-run.js';
import { kill } from '../processes.js';
import { titleOf, TRIGGERS, type MatrixCase, type Victim } from './cases.js';

export async function hitCase(run: DisturbedRun, which: MatrixCase): Promise<void> {
  const { point, victim } = which;
  const { stage } = run;
  stage.points.arm(point);
  const killedBefore = await trigger(run, which);
  const stands = await stage.until(`${titleOf(which)}: somebody stands there`, () =>
    stage.points.standsAt(point),
  );
  const killed = victim === 'self' ? stands : pidOf(run, victim, stands);
  kill(killed, 'SIGKILL');
  if (killed !== stands) kill(stands, 'SIGCONT');
  await run.whole([killed, ...killedBefore]);
  if (run.target !== run.workers) await run.scale(run.workers);
}

async function trigger(run: DisturbedRun, { point }: MatrixCase): Promise<number[]> {
  switch (TRIGGERS[point]) {
    case 'leader dies':
      return [killChild(run, 'coordinator-0')];
    case 'worker joins':
      if (run.workers > 1) return [killChild(run, 'worker-0')];
      await run.want(2);
      return [];
    default:
      return [];
  }
}

function killChild({ stage }: DisturbedRun, place: string): number {
  const pid = stage.child(place);
  kill(pid, 'SIGKILL');
  return pid;
}

function pidOf(run: DisturbedRun, victim: Exclude<Victim, 'self'>, stands: number): number {
  if (victim === 'redis') return run.stage.child('redis');
  if (victim === 'leader') return run.stage.child('coordinator-0');
  const other = run.workerPids().find((pid) => pid !== stands);
  if (other === undefined) throw new Error('there is no other worker');
  return other;
}
