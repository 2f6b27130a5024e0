// `cria setup`: after it, this clone runs (or tests). Nothing is fetched but the distribution's packages; a second
// call is a matter of milliseconds.
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { build, buildAddon, isFresh } from './build.mjs';
import { installMissing } from './install.mjs';
import { LauncherError } from './launcher-error.mjs';
import { ADDON, ADDON_BUILDER } from './places.mjs';
import { removeTensorFlow, setUpTensorFlow } from './tensorflow/set-up-tensorflow.mjs';

const HELP = `Usage: cria setup [--for start|test] [--tensorflow cpu|gpu|remove] [--json]

Builds what is not built or stale and installs missing system packages (as root or
with "sudo -n"; otherwise it lists the commands and exits with code 2).

Options:
  --for GOAL          what this machine is to do: start (default) or test
  --tensorflow WHICH  also put TensorFlow under the tfjs engine, for cpu or gpu, into
                      $XDG_CACHE_HOME/cria/tensorflow (274 or 572 MB to fetch, 1.1 or
                      1.5 GiB on disk); remove takes it away again
  --from WHERE        of TensorFlow: installer (its package's own), wheel (from PyPI,
                      with pip and a C++ compiler), or auto (default): one, then the other
  --json              one JSON object on stdout
  -h, --help          this text

Examples:
  $ npx cria setup --for test
  $ npx cria setup --tensorflow cpu
`;

/** The command; resolves to the exit code. */
export async function setupCommand(argv) {
  const { help, goal, json, tensorflow, from } = readOptions(argv);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const note = (line) => process.stderr.write(`${line}\n`);
  const result =
    tensorflow === 'remove'
      ? removeTensorFlow({ note })
      : {
          ...(await setUp({ goal, note })),
          ...(tensorflow === undefined ? {} : await setUpTensorFlow(tensorflow, { from, note })),
        };
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
    tensorflow: { type: 'string' },
    from: { type: 'string', default: 'auto' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  };
  let values;
  try {
    ({ values } = parseArgs({ args: argv, options }));
  } catch (error) {
    throw new LauncherError(`setup: ${error.message} (see \`cria setup --help\`)`, 2);
  }
  expectOneOf('--for', values.for, ['start', 'test']);
  if (values.tensorflow !== undefined)
    expectOneOf('--tensorflow', values.tensorflow, ['cpu', 'gpu', 'remove']);
  expectOneOf('--from', values.from, ['auto', 'installer', 'wheel']);
  const { json, help, tensorflow, from } = values;
  return { goal: values.for, json, help, tensorflow, from };
}

function expectOneOf(flag, value, allowed) {
  if (allowed.includes(value)) return;
  throw new LauncherError(`setup: ${flag} wants ${allowed.join(' or ')}, got "${value}"`, 2);
}
