import { CriaError, signalsToAbort } from '@cria/runtime';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { act, describeCommand, wholeNumber } from '../command.js';
import { chaos, type ChaosReport } from '../chaos/chaos.js';
import type { ChaosTarget } from '../decide/chaos.js';
import { readRunConfig } from '../run/run-config-file.js';
import { isAlive, readRunFile } from '../run/run-file.js';

interface ChaosFlags {
  readonly every: number;
  readonly targets: readonly ChaosTarget[];
  readonly kind: 'kill' | 'pause';
  readonly for: number;
  readonly seed: number;
}

export function chaosCommand(): Command {
  const command = describeCommand(
    'chaos',
    'Kills or pauses processes of a run of this machine at random and says what it cost. `cria up` starts again whatever it kills.',
    'cria chaos runs/quickstart --every 5s --targets workers,leader,redis --for 2m',
  )
    .argument('<run-dir>', "the run's directory")
    .addOption(
      new Option('--every <time>', 'mean time between blows').argParser(duration).default(5000, '5s'),
    )
    .addOption(
      new Option('--targets <kind,...>', 'workers, leader, redis')
        .argParser(targetsOf)
        .default(['workers'], 'workers'),
    )
    .addOption(
      new Option('--kind <kind>', 'kill: SIGKILL; pause: stands still for twice its time-out')
        .choices(['kill', 'pause'])
        .default('kill'),
    )
    .addOption(
      new Option('--for <time>', 'how long; it ends with the run at the latest')
        .argParser(duration)
        .default(60_000, '1m'),
    )
    .addOption(new Option('--seed <n>', 'of the choices').argParser(wholeNumber(0)).default(1));
  return act<ChaosFlags>(command, async (terminal, flags, [runDir = '']) => {
    expectRunning(runDir);
    const { suspectMs, leaseMs } = readRunConfig(runDir).timeouts;
    const { every: everyMs, for: forMs, targets, kind, seed } = flags;
    const pauseMs = 2 * Math.max(suspectMs, leaseMs);
    const say = (line: string): void => terminal.line(line);
    const report = await chaos(
      { runDir, everyMs, forMs, pauseMs, targets, kind, seed, say },
      signalsToAbort(),
    );
    terminal.result(report, describeReport(report));
  });
}

function expectRunning(runDir: string): void {
  const file = readRunFile(runDir);
  if (file !== null && isAlive(file)) return;
  throw new CriaError('RUN_NOT_FOUND', `no run is under way in ${runDir} on this machine`);
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Reads `500ms`, `5s`, `2m`, `1h`. */
function duration(text: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim()) ?? [];
  const value = Number(digits) * UNIT_MS[(unit ?? 's') as keyof typeof UNIT_MS];
  if (value > 0) return value;
  throw new InvalidArgumentError('It must be a time such as 500ms, 5s or 2m.');
}

const TARGETS: readonly ChaosTarget[] = ['workers', 'leader', 'redis'];

function targetsOf(text: string): ChaosTarget[] {
  return text.split(',').map((part) => {
    const target = TARGETS.find((one) => one === part.trim());
    if (target !== undefined) return target;
    throw new InvalidArgumentError(`"${part}" is none of ${TARGETS.join(', ')}.`);
  });
}

function describeReport(report: ChaosReport): string {
  const {
    seconds,
    blows,
    byTarget,
    steps,
    lostSeconds,
    furtherAttempts,
    tokensPerSecond,
    nextCommitSeconds,
  } = report;
  const kinds = TARGETS.filter((target) => byTarget[target] > 0).map(
    (target) => `${target} ${byTarget[target]}`,
  );
  const { disturbed, undisturbed } = tokensPerSecond;
  const share = undisturbed === null ? '' : `, ${Math.round((100 * disturbed) / undisturbed)} % of before`;
  const waits =
    nextCommitSeconds === null
      ? ''
      : `\nto the next commit: p50 ${nextCommitSeconds.p50.toFixed(2)} s, p95 ${nextCommitSeconds.p95.toFixed(2)} s, longest ${nextCommitSeconds.max.toFixed(2)} s`;
  return (
    `${blows} blows in ${seconds.toFixed(1)} s (${kinds.join(', ') || 'none'}): ${steps} steps, ` +
    `${lostSeconds.toFixed(1)} s lost, ${furtherAttempts} further attempts\n` +
    `${Math.round(disturbed)} tokens/s${share}${waits}`
  );
}
