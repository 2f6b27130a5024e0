import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { serveRuns } from '@cria/coordinator';
import { CriaError, createLog, signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, optionWithEnv, wholeNumber } from '../command.js';

interface DashboardFlags {
  readonly httpPort: number;
  readonly listen: string;
}

export function dashboardCommand(): Command {
  const command = describeCommand(
    'dashboard',
    'Serves the pages for runs on disk, also those of other programs, with no training under way; until Ctrl-C.',
    'cria dashboard runs --http-port 8080',
  )
    .argument('[runs-dir]', 'holds a directory per run', 'runs')
    .addOption(new Option('--http-port <p>', '0 takes any free one').argParser(wholeNumber(0)).default(8080))
    .addOption(optionWithEnv('--listen <host>', 'address to listen on', 'CRIA_LISTEN').default('127.0.0.1'));
  return act<DashboardFlags>(command, async (terminal, { httpPort, listen }, [given = 'runs']) => {
    const runsDir = resolve(given);
    if (!existsSync(runsDir)) {
      throw new CriaError(
        'RUN_NOT_FOUND',
        `${runsDir} does not exist: name the directory that holds the runs`,
      );
    }
    const signal = signalsToAbort();
    const log = createLog({ name: 'dashboard', level: 'warn' });
    const served = await serveRuns({ runsDir, host: listen, port: httpPort, log });
    const { address, token } = served;
    terminal.result(
      { address, token, runsDir },
      `${address}/#token=${token}\nruns of ${runsDir}; Ctrl-C ends it`,
    );
    await new Promise<void>((resolveEnd) => {
      if (signal.aborted) resolveEnd();
      signal.addEventListener('abort', () => resolveEnd(), { once: true });
    });
    await served.stop();
    return Number(signal.reason);
  });
}
