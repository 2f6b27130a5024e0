import { CriaError } from '@cria/runtime';
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { addFindOptions, findRun, type FindFlags } from '../run/find-run.js';
import { sendWish } from '../run/run-client.js';

export function scaleCommand(): Command {
  const command = describeCommand(
    'scale',
    'Changes the number of workers that a run wants; `cria up` starts or stops processes to match.',
    'cria scale 3 --out runs/quickstart',
  ).argument('<workers>', 'seats of the run');
  addFindOptions(command);
  return act<FindFlags>(command, async (terminal, flags, [text = '']) => {
    const target = Number(text);
    if (!Number.isSafeInteger(target) || target < 0) {
      throw new CriaError('USAGE', `scale wants a whole number of workers, got "${text}"`);
    }
    const { run } = await sendWish(findRun(flags), 'scale', { target });
    terminal.result({ run, target }, `${run} wants ${target} ${target === 1 ? 'worker' : 'workers'}`);
  });
}
