import { formatDuration, formatLoss, printableIn, terminalStyle } from '@cria/metrics';
import { systemClock } from '@cria/runtime';
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { storedRuns, type StoredRun } from '../run/stored-runs.js';
import { formatTable, type TableColumn } from '../run/table.js';

export function runsCommand(): Command {
  const command = describeCommand(
    'runs',
    'The runs on this disk, trained here or logged by other programs.',
    'cria runs runs',
  ).argument('[dir]', 'directory of the runs', 'runs');
  return act(command, async (terminal, _options, [dir = 'runs']) => {
    const runs = storedRuns(dir);
    const { stdout, env } = process;
    const style = terminalStyle(stdout, env);
    const columns = columnsFor(printableIn(style), systemClock.wallMs());
    const width = stdout.isTTY ? stdout.columns : Infinity;
    const table = formatTable(columns, runs, { width, ellipsis: style.glyphs.ellipsis });
    terminal.result({ runs }, runs.length === 0 ? `no run lies in ${dir}` : table.join('\n'));
  });
}

function columnsFor(show: (text: string) => string, nowMs: number): ReadonlyArray<TableColumn<StoredRun>> {
  return [
    { title: 'directory', align: 'left', rank: 0, cell: ({ directory }) => show(directory) },
    { title: 'run', align: 'left', rank: 4, cell: ({ run }) => show(run) },
    { title: 'project', align: 'left', rank: 6, cell: ({ project }) => show(project ?? '-') },
    { title: 'phase', align: 'left', rank: 1, cell: ({ phase }) => show(phase) },
    { title: 'steps', align: 'right', rank: 2, cell: ({ steps }) => String(steps) },
    { title: 'loss', align: 'right', rank: 3, cell: ({ loss }) => (loss === null ? '-' : formatLoss(loss)) },
    {
      title: 'last step',
      align: 'right',
      rank: 5,
      cell: ({ updatedWallMs }) => ago(updatedWallMs, nowMs),
    },
  ];
}

function ago(wallMs: number | null, nowMs: number): string {
  return wallMs === null ? '-' : `${formatDuration(Math.max(0, nowMs - wallMs))} ago`;
}
