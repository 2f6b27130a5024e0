import { availableParallelism } from 'node:os';
import { EXIT } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, optionWithEnv, wholeNumber } from '../command.js';
import { replayStep, type ReplayReport } from '../replay/replay-step.js';

interface ReplayFlags {
  readonly step: number;
  readonly device: string;
  readonly threads?: number;
}

export function replayCommand(): Command {
  const command = describeCommand(
    'replay',
    'Computes a step again from the nearest earlier checkpoint and compares every digest with the ledger; exit code 1 when one differs.',
    'cria replay runs/quickstart --step 12',
  )
    .argument('<run-dir>', "the run's directory")
    .addOption(new Option('--step <s>', 'the step, from 0').argParser(wholeNumber(0)).makeOptionMandatory())
    .addOption(optionWithEnv('--device <device>', 'cpu or cuda:N', 'CRIA_DEVICE').default('cpu'))
    .addOption(
      optionWithEnv('--threads <n>', 'compute threads (default: all cores)', 'CRIA_THREADS').argParser(
        wholeNumber(1),
      ),
    );
  return act<ReplayFlags>(command, async (terminal, { step, device, threads }, [runDir = '']) => {
    const progress = terminal.progress('computing steps');
    const report = await replayStep({
      ...{ runDir, step, device, threads: threads ?? availableParallelism() },
      onStep: (done, total) => progress.update(done, total),
    }).finally(() => progress.end());
    terminal.result(report, describeReport(report));
    return report.ok ? EXIT.done : EXIT.failed;
  });
}

function describeReport({ step, from, computed, difference }: ReplayReport): string {
  const steps = `${computed} ${computed === 1 ? 'step' : 'steps'} from state ${from}`;
  if (difference === null) return `step ${step} came out as the ledger says (${steps})`;
  const { step: at, field, ledger, computed: ours } = difference;
  return `step ${at} came out differently: ${field} is ${ours}, the ledger says ${ledger} (${steps})`;
}
