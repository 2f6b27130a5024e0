// A cluster started by hand: processes that stand still and wake up, networks that let half of it through.
import { expect } from 'vitest';
import { ByHand } from '../by-hand.js';
import { lastObject } from '../cria.js';
import { compareWithUndisturbed } from '../disturbed-run.js';
import { kill } from '../processes.js';
import { claim, type Outcome, type Stage } from '../stage.js';
import { TcpProxy } from '../tcp-proxy.js';
import { until } from '../until.js';

/** timeouts.suspectMs of every test's configuration. */
const SUSPECT_MS = 3000;

export function sleepers(): void {
  claim('leader and worker that stand still, and networks that let half of it through', async (stage) => {
    const hand = await ByHand.start(stage);
    const [toRedis, toLeader] = await Promise.all([TcpProxy.start(hand.redisPort), freePortProxy()]);
    const ports = [
      '--grpc-port',
      String(toLeader.targetPort),
      '--advertise',
      `127.0.0.1:${toLeader.proxy.port}`,
    ];
    const first = hand.coordinator(ports, toRedis.port);
    await leads(stage, first.pid);
    const second = hand.coordinator();
    const sleeper = hand.worker();
    const workers = [sleeper, hand.worker()];
    await goesOn(stage, 2);

    // Redis hears the leader, who does not hear Redis: it steps down, the other one takes over.
    toRedis.block('from-target');
    await leads(stage, second.pid);
    await goesOn(stage, 2);
    toRedis.heal();

    // The leader stands still for twice its lease; then it wakes up and must not do anything as a leader.
    kill(second.pid, 'SIGSTOP');
    await leads(stage, first.pid);
    await goesOn(stage, 2);
    const events = stage.run.events().length;
    kill(second.pid, 'SIGCONT');
    await goesOn(stage, 2);
    expect(stage.run.events().slice(events)).toEqual([]);

    // The leader is heard and hears nobody; then nothing gets through at all.
    for (const directions of [['to-target'], ['to-target', 'from-target']] as const) {
      toLeader.proxy.block(...directions);
      const lost = stage.run.events('worker-lost').length;
      await stage.until('both are given up', () => stage.run.events('worker-lost').length >= lost + 2);
      toLeader.proxy.heal();
      await goesOn(stage, 2);
    }

    // A worker stands still for twice its time-out.
    kill(sleeper.pid, 'SIGSTOP');
    await goesOn(stage, 1);
    await new Promise((resolve) => setTimeout(resolve, SUSPECT_MS));
    kill(sleeper.pid, 'SIGCONT');
    await goesOn(stage, 2);

    await stage.wish('stop');
    const outcome = lastObject<Outcome>(await first.ended);
    expect((await second.ended).code).toBe(0);
    for (const worker of workers) kill(worker.pid, 'SIGTERM');
    for (const worker of workers) expect((await worker.ended).code).toBe(143);
    await Promise.all([hand.stop(), toRedis.close(), toLeader.proxy.close()]);
    await compareWithUndisturbed(stage, outcome);
  });
}

/** Waits until this process leads. */
async function leads(stage: Stage, pid: number): Promise<void> {
  await until(
    `process ${pid} leads`,
    async () => (await stage.status())?.coordinators.some((one) => one.pid === pid && one.leader),
    { timeoutMs: 30_000 },
  );
}

/** Waits until so many members have committed two steps more. */
async function goesOn(stage: Stage, members: number): Promise<void> {
  const enough = (): number => stage.run.steps();
  const from = enough();
  await until(
    `${members} members go on from step ${from}`,
    async () => {
      const status = await stage.status();
      const there = status?.members.filter(({ role }) => role === 'member').length;
      return there === members && enough() >= from + 2;
    },
    { timeoutMs: 60_000 },
  );
}

/** A proxy for a port that somebody will listen on. */
async function freePortProxy(): Promise<{ proxy: TcpProxy; targetPort: number }> {
  const place = await TcpProxy.start(0);
  const targetPort = place.port;
  await place.close();
  return { proxy: await TcpProxy.start(targetPort), targetPort };
}
