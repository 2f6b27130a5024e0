import { systemClock } from '@cria/runtime';
import { expect } from 'vitest';
import { DisturbedRun } from '../disturbed-run.js';
import { kill } from '../processes.js';
import { runFile, statusAt, type Status } from '../run-api.js';
import { claim, type Stage } from '../stage.js';
import { CALM } from '../tiny-run.js';

/** timeouts.leaseMs of every test's configuration. */
const LEASE_MS = 3000;

export function cluster(): void {
  claim(
    'three coordinators: one view of the run, and a standby takes over from a dead leader',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 2, coordinators: 3, flags: CALM });
      await run.begun();
      await everyCoordinatorSays(stage, 2);
      const failoverMs: number[] = [];
      for (let deaths = 0; deaths < 2; deaths++) {
        const leader = await leaderOf(stage);
        const killedMs = systemClock.wallMs();
        kill(leader.pid, 'SIGKILL');
        const elected = await stage.until('another leads', () =>
          stage.run.events('leader-elected').find(({ wallMs }) => wallMs > killedMs),
        );
        failoverMs.push(elected.wallMs - killedMs);
        await run.whole([leader.pid]);
      }
      // The machine may have been busy with something else, but not both times.
      expect(Math.min(...failoverMs)).toBeLessThan(LEASE_MS + 1000);
      await run.compare();
      const events = stage.disturbed.events();
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
      expect(events.filter(({ kind }) => kind === 'run-started')).toHaveLength(1);
      expect(events.filter(({ kind }) => kind === 'run-stopped')).toHaveLength(1);
      // Members keep their state over a change of leader.
      for (const kind of ['worker-lost', 'step-replayed']) {
        expect(events.filter((event) => event.kind === kind)).toEqual([]);
      }
      expect(run.said.match(/dashboard: /g)).toHaveLength(1);
    },
  );
}

async function leaderOf(stage: Stage): Promise<Status['coordinators'][number]> {
  const status = await stage.status();
  const leader = status?.coordinators.find((one) => one.leader);
  if (leader === undefined) throw new Error('nobody leads');
  return leader;
}

/** `cria status` asked of each coordinator: the leader's view. */
async function everyCoordinatorSays(stage: Stage, members: number): Promise<void> {
  const file = await stage.until('run.json names them all', () => {
    const found = runFile(stage.run.path);
    return found?.coordinators.length === 3 ? found : undefined;
  });
  for (const { httpAddress } of file.coordinators) {
    await stage.until(`${httpAddress} knows the members`, async () => {
      const status = await statusAt(httpAddress, file.runId);
      return status?.members.filter(({ role }) => role === 'member').length === members;
    });
    const { code, stdout } = await stage.cria('status', '--coordinators', httpAddress, '--json');
    expect(code).toBe(0);
    const status = JSON.parse(stdout) as Status;
    expect(status).toMatchObject({ phase: 'running', seats: { target: members } });
    expect(status.coordinators.filter(({ leader }) => leader)).toHaveLength(1);
  }
}
