import { terminalStyle } from '@cria/metrics';
import { signalsToAbort, systemClock } from '@cria/runtime';
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { addFindOptions, findRun, reachableBases, type FindFlags } from '../run/find-run.js';
import { describeRun } from '../run/describe-run.js';
import { liveRuns, knowsWorkers } from '../run/run-client.js';
import { RunApi } from '../watch/run-api.js';
import { readRun } from '../watch/run-data.js';
import { Watch } from '../watch/watch.js';

const EVENTS_SHOWN = 8;

export function watchCommand(): Command {
  const command = describeCommand(
    'watch',
    'A live view of a run in the terminal: loss curve, workers, events, alerts. Elsewhere than on a terminal, or with --json, what there is to say now.',
    'cria watch runs/quickstart',
  ).argument('[run]', "the run's directory (the same as --out)");
  addFindOptions(command);
  return act<FindFlags>(command, async (terminal, flags, [run]) => {
    const handle = findRun(run === undefined ? flags : { ...flags, out: run });
    const bases = (): readonly string[] => reachableBases(handle);
    const { stdin, stdout, env } = process;
    const isLive = !terminal.json && stdin.isTTY === true && terminalStyle(stdout, env).live;
    if (!isLive) {
      const shown = await once(bases());
      const width = stdout.isTTY ? stdout.columns : Infinity;
      terminal.result(shown, describeRun(shown, { width, style: terminalStyle(stdout, env) }));
      return undefined;
    }
    const watch = new Watch({ handle, bases, clock: systemClock, input: stdin, output: stdout, env });
    return watch.run(signalsToAbort());
  });
}

/** The run with its newest events and the alerts that fire. */
async function once(bases: readonly string[]): Promise<Parameters<typeof describeRun>[0]> {
  const answers = await liveRuns(bases);
  const [first] = answers;
  const { base, status } = answers.find((answer) => knowsWorkers(answer.status)) ?? first ?? never();
  const run = readRun(status);
  const api = new RunApi(base, run.id);
  const [events, alerts] = await Promise.all([api.events(), api.alerts()]);
  return {
    ...run,
    events: events.slice(-EVENTS_SHOWN),
    alerts: alerts.filter(({ state }) => state === 'firing'),
  };
}

function never(): never {
  throw new Error('liveRuns gives at least one answer or throws');
}
