// Routes a command line. `setup` and `doctor` work in a clone where nothing is built yet, so this folder is plain
// JavaScript without dependencies; every other command is compiled (src/) and only loaded here.
import { existsSync } from 'node:fs';
import { doctorCommand } from './doctor.mjs';
import { LauncherError } from './launcher-error.mjs';
import { COMPILED_MAIN } from './places.mjs';
import { setUp, setupCommand } from './setup.mjs';

const UNBUILT = { setup: setupCommand, doctor: doctorCommand };

/** Runs one command line and ends the process with CONTRACT's exit code. */
export async function launch(argv) {
  const exitCode = await run(argv).catch((error) => {
    if (!(error instanceof LauncherError)) throw error;
    process.stderr.write(`cria: ${error.message}\n`);
    return error.exitCode;
  });
  // A library's forgotten timer or socket must not keep a finished command alive.
  process.exit(exitCode);
}

async function run(argv) {
  const [command, ...rest] = argv;
  if (Object.hasOwn(UNBUILT, command ?? '')) return UNBUILT[command](rest);
  if (command === 'quickstart' && !asksForHelp(rest)) {
    await setUp({ goal: 'start', note: (line) => process.stderr.write(`${line}\n`) });
  }
  if (!existsSync(COMPILED_MAIN)) {
    throw new LauncherError('nothing is built yet: run `npx cria setup` (after `npm ci`)', 2);
  }
  const { main } = await import(COMPILED_MAIN.href);
  return main(argv);
}

function asksForHelp(argv) {
  return argv.includes('--help') || argv.includes('-h');
}
