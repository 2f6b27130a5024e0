import { terminalStyle } from '@cria/metrics';
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { describeRun } from '../run/describe-run.js';
import { addFindOptions, findRun, type FindFlags } from '../run/find-run.js';
import { fetchStatus } from '../run/run-client.js';
import { readRun } from '../watch/run-data.js';

export function statusCommand(): Command {
  const command = describeCommand('status', 'What a run is doing.', 'cria status --out runs/quickstart');
  addFindOptions(command);
  return act<FindFlags>(command, async (terminal, flags) => {
    const status = await fetchStatus(findRun(flags));
    const { stdout, env } = process;
    const width = stdout.isTTY ? stdout.columns : Infinity;
    terminal.result(status, describeRun(readRun(status), { width, style: terminalStyle(stdout, env) }));
  });
}
