// `cria setup`: after it, this clone runs (or tests). Nothing is fetched but the distribution's packages; a second
// call is a matter of milliseconds.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build, buildAddon, isFresh } from './build.mjs';
import { installMissing } from './install.mjs';
import { LauncherError } from './launcher-error.mjs';
import { ADDON, ADDON_BUILDER } from './places.mjs';

const HELP = `Usage: cria setup [--for start|test] [--json]

Builds what is not built or stale and installs missing system packages (as root or
with "sudo -n"; otherwise it lists the commands and exits with code 2).

Options:
  --for GOAL   what this machine is to do: start (default) or test
  --json       one JSON object on stdout
  -h, --help   this text

Example:
  $ npx cria setup --for test
`;

/** The command; resolves to the exit code. */
export async function setupCommand(argv) {
  const { help, goal, json } = readOptions(argv);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const result = await setUp({ goal, note: (line) => process.stderr.write(`${line}\n`) });
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return 0;
}

/**
 * Makes this clone ready for the goal.
 *
 * @param options.goal 'start' or 'test'
 * @param options.note takes one line of progress
 * @returns {Promise<{ok: true, goal: string, built: boolean, installed: string[], nativeAddon: boolean}>}
 */
export async function setUp({ goal, note }) {
  const installed = installMissing(goal, note);
  const stale = !isFresh();
  if (stale) {
    note('setup: building (once; about a minute on two cores)');
    await build();
  }
  if (existsSync(ADDON_BUILDER) && !existsSync(ADDON)) note('setup: compiling the native kernels (once)');
  const nativeAddon = await buildAddon(note);
  if (existsSync(ADDON_BUILDER) && !nativeAddon) {
    note('setup: no native engine on this machine: the tfjs engine is used, which is slower');
  }
  return { ok: true, goal, built: stale, installed, nativeAddon };
}

function readOptions(argv) {
  const options = {
    for: { type: 'string', default: 'start' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  };
  let values;
  try {
    ({ values } = parseArgs({ args: argv, options }));
  } catch (error) {
    throw new LauncherError(`setup: ${error.message} (see \`cria setup --help\`)`, 2);
  }
  if (values.for !== 'start' && values.for !== 'test') {
    throw new LauncherError(`setup: --for wants start or test, got "${values.for}"`, 2);
  }
  return { goal: values.for, json: values.json, help: values.help };
}
