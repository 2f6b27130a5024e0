// What a loss costs, measured: npm run bench:recovery (on a machine that does nothing else). Prints one JSON object a
// figure; CRIA_FIGURES_LOSSES says how often somebody is killed for each.
import { systemClock } from '@cria/runtime';
import { writeSync } from 'node:fs';
import { describe, it } from 'vitest';
import type { DisturbedRun } from '../disturbed-run.js';
import { kill } from '../processes.js';
import type { EventLine } from '../run-directory.js';
import { onStage, type Stage } from '../stage.js';
import { readBytesOf } from './read-bytes.js';
import { startFiguresRun } from './figures-run.js';
import { percentiles } from './percentiles.js';

const LOSSES = Number(process.env['CRIA_FIGURES_LOSSES'] ?? '20');
const FIGURES_MS = 3_600_000;
/** Sequences of a step that takes about as long as a new worker needs to come; a quarter of it where kills are rarer. */
const LONG_STEPS = 256;
/** Later kills fall at other moments of a step. */
const PHASES = [0.1, 0.35, 0.6, 0.85];

describe.runIf(process.platform === 'linux')('what a loss costs', () => {
  figure('a worker is killed', async (stage) => {
    const run = await startFiguresRun(stage, { workers: 2 });
    return { withoutComputingMs: percentiles(await lossesOf(run, 'SIGKILL', LOSSES)) };
  });

  figure('a worker hangs', async (stage) => {
    const run = await startFiguresRun(stage, { workers: 2 });
    return { withoutComputingMs: percentiles(await lossesOf(run, 'SIGSTOP', Math.ceil(LOSSES / 4))) };
  });

  figure('the leader is killed', async (stage) => {
    const run = await startFiguresRun(stage, { workers: 2, coordinators: 3 });
    const electedMs: number[] = [];
    for (let i = 0; i < Math.ceil(LOSSES / 2); i++) {
      const leader = (await stage.status())?.coordinators.find((one) => one.leader);
      if (leader === undefined) throw new Error('nobody leads');
      const killedMs = systemClock.wallMs();
      kill(leader.pid, 'SIGKILL');
      const elected = await firstEvent(stage, 'leader-elected', killedMs);
      electedMs.push(elected.wallMs - killedMs);
      await run.whole([leader.pid]);
    }
    return { electedMs: percentiles(electedMs) };
  });

  figure('a worker joins', async (stage) => {
    const run = await startFiguresRun(stage, { workers: 1 });
    const joins: Array<{ seconds: number; mebibytes: number; othersWaitMs: number }> = [];
    for (let i = 0; i < Math.ceil(LOSSES / 4); i++) {
      joins.push(await join(run));
      await run.scale(1);
    }
    return {
      secondsFromHello: percentiles(joins.map(({ seconds }) => seconds)),
      mebibytesRead: percentiles(joins.map(({ mebibytes }) => mebibytes)),
      longestExchangeMs: percentiles(joins.map(({ othersWaitMs }) => othersWaitMs)),
    };
  });

  for (const onLoss of ['salvage', 'discard'] as const) {
    for (const everySteps of [5.5, 1.4]) {
      figure(`one kill per ${everySteps} step times, ${onLoss}`, async (stage) => {
        const run = await startFiguresRun(stage, {
          workers: 2,
          onLoss,
          globalBatch: everySteps < 2 ? LONG_STEPS : LONG_STEPS / 4,
        });
        return { everySteps, onLoss, ...(await underKills(run, everySteps)) };
      });
    }
  }
});

function figure(title: string, measure: (stage: Stage) => Promise<object>): void {
  it(title, { timeout: FIGURES_MS }, async () => {
    const stage = await onStage(async (stage) => {
      writeSync(2, `${JSON.stringify({ figure: title, ...(await measure(stage)) })}\n`);
    }, FIGURES_MS);
    stage.clear();
  });
}

/** From each loss to the next commit, less the time in which slots were computed again. */
async function lossesOf(run: DisturbedRun, signal: 'SIGKILL' | 'SIGSTOP', losses: number): Promise<number[]> {
  const { stage } = run;
  const costsMs: number[] = [];
  for (let i = 0; i < losses; i++) {
    const stepMs = await nextStep(stage);
    await sleepMs(stepMs * (PHASES[i % PHASES.length] as number));
    const pids = run.workerPids();
    const victim = pids[i % pids.length] as number;
    const lostMs = systemClock.wallMs();
    kill(victim, signal);
    const noticed = await firstEvent(stage, 'worker-lost', lostMs);
    const entry = await stage.until('the next commit', () =>
      stage.run.ledger().find(({ wallMs }) => wallMs > noticed.wallMs),
    );
    const row = await stage.until('its metrics', () =>
      stage.run.metrics().find(({ step }) => step === entry.step),
    );
    // The last slot was done so long before the commit; what was computed after the loss was noticed is not counted.
    const lastSlotMs = entry.wallMs - row.exchangeMs - row.commitMs;
    costsMs.push(entry.wallMs - lostMs - Math.max(0, lastSlotMs - noticed.wallMs));
    if (signal === 'SIGSTOP') kill(victim, 'SIGKILL');
    await run.whole([victim]);
  }
  return costsMs;
}

/** One more worker: from its Hello to its membership, what it read meanwhile, the longest exchange of the others. */
async function join(
  run: DisturbedRun,
): Promise<{ seconds: number; mebibytes: number; othersWaitMs: number }> {
  const { stage } = run;
  const beganMs = systemClock.wallMs();
  await run.want(2);
  const hello = await firstEvent(stage, 'worker-shadow', beganMs);
  const pid = Number(/pid (\d+)/.exec(hello.text)?.[1]);
  const before = readBytesOf(pid);
  const joined = await firstEvent(stage, 'worker-joined', hello.wallMs);
  const bytes = readBytesOf(pid) - before;
  await run.whole();
  const meanwhile = stage.run
    .metrics()
    .filter(({ wallMs, stepMs }) => wallMs >= hello.wallMs && wallMs - stepMs <= joined.wallMs);
  return {
    seconds: (joined.wallMs - hello.wallMs) / 1000,
    mebibytes: bytes / 2 ** 20,
    othersWaitMs: Math.max(...meanwhile.map(({ exchangeMs, commitMs }) => exchangeMs + commitMs)),
  };
}

/** Steps a second undisturbed, then under kills; the share of time in which a worker was away. */
async function underKills(run: DisturbedRun, everySteps: number): Promise<object> {
  const { stage } = run;
  const undisturbed = await speedOver(stage, async () => stage.committed(stage.run.steps() + 15));
  const pauseMs = (1000 * everySteps) / undisturbed.stepsPerSecond;
  let awaySeconds = 0;
  let kills = 0;
  const disturbed = await speedOver(stage, async () => {
    for (; kills < LOSSES; kills++) {
      const killedMs = systemClock.wallMs();
      const victims = run.workerPids();
      const victim = victims[kills % Math.max(1, victims.length)];
      if (victim !== undefined) kill(victim, 'SIGKILL');
      await sleepMs(pauseMs);
      awaySeconds += absence(stage, killedMs, systemClock.wallMs());
    }
  });
  const present = 1 - awaySeconds / (2 * disturbed.seconds);
  const speed = disturbed.stepsPerSecond / undisturbed.stepsPerSecond;
  return { kills, undisturbed, disturbed, present, speed, ofWhatWasThere: speed / present };
}

/** Seconds without a second member, times the missing ones, between two times. */
function absence(stage: Stage, fromMs: number, toMs: number): number {
  const members = new Set<string>();
  let lastMs = fromMs;
  let away = 0;
  const passUntil = (wallMs: number): void => {
    const untilMs = Math.min(Math.max(wallMs, lastMs), toMs);
    away += Math.max(0, 2 - members.size) * (untilMs - lastMs);
    lastMs = untilMs;
  };
  for (const { kind, wallMs, worker = '' } of stage.run.events()) {
    if (kind !== 'worker-lost' && kind !== 'worker-joined') continue;
    passUntil(wallMs);
    if (kind === 'worker-lost') members.delete(worker);
    else members.add(worker);
  }
  passUntil(toMs);
  return away / 1000;
}

async function speedOver(
  stage: Stage,
  act: () => Promise<void>,
): Promise<{ steps: number; seconds: number; stepsPerSecond: number }> {
  const from = { steps: stage.run.steps(), ms: performance.now() };
  await act();
  const steps = stage.run.steps() - from.steps;
  const seconds = (performance.now() - from.ms) / 1000;
  return { steps, seconds, stepsPerSecond: steps / seconds };
}

/** Waits for a commit; how long the step took. */
async function nextStep(stage: Stage): Promise<number> {
  await stage.committed(stage.run.steps() + 1);
  return stage.run.metrics().at(-1)?.stepMs ?? 0;
}

function firstEvent(stage: Stage, kind: string, afterMs: number): Promise<EventLine> {
  return stage.until(kind, () => stage.run.events(kind).find(({ wallMs }) => wallMs > afterMs));
}

function sleepMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
