// `cria doctor`: what this machine has and lacks, with the command that mends it. It changes nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { availableParallelism, freemem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isFresh } from './build.mjs';
import { LauncherError } from './launcher-error.mjs';
import { packageManager, versionOf } from './machine.mjs';
import { COMPILED_MAIN, NX, ROOT, SCRIPT } from './places.mjs';
import { installCommands, requirementsFor } from './requirements.mjs';
import { inspectInstallation } from './tensorflow/cache.mjs';
import { VARIANTS } from './tensorflow/pins.mjs';

const PROBE_TIMEOUT_MS = 60_000;

const HELP = `Usage: cria doctor [--json]

Says what this machine has and lacks, with the command that mends it. Exit code 2
when something is missing that Cria cannot do without.

Options:
  --json       one JSON object on stdout
  -h, --help   this text

Example:
  $ npx cria doctor
`;

/** The command; resolves to the exit code. */
export function doctorCommand(argv) {
  const { json, help } = readOptions(argv);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const checks = examine();
  const ok = checks.every((check) => check.ok || !check.required);
  process.stdout.write(json ? `${JSON.stringify({ ok, checks })}\n` : checks.map(toLine).join(''));
  return ok ? 0 : 2;
}

/** @returns {Array<{name: string, ok: boolean, required: boolean, found: string|null, mend: string|null}>} */
function examine() {
  const installed = existsSync(NX);
  return [
    check('Node', { found: process.versions.node }),
    check('dependencies', { found: installed ? 'installed' : null, mend: 'npm ci' }),
    check('build', { found: installed && isFresh() ? 'up to date' : null, mend: 'npx cria setup' }),
    ...programs(),
    ...tensorFlow(),
    ...engine(),
    check('cores', { found: String(availableParallelism()) }),
    check('free memory', { found: gibibytes(freemem()) }),
    check('free disk', { found: freeDisk() }),
  ];
}

/** TensorFlow under the tfjs engine; nothing misses it unless it was asked for. */
function tensorFlow() {
  return Object.keys(VARIANTS).map((name) => {
    const { state, folder, manifest } = inspectInstallation(name);
    const noDevice =
      name === 'gpu' && !existsSync('/dev/nvidiactl') ? ', but no NVIDIA device is visible' : '';
    return check(`TensorFlow ${name}`, {
      found: state === 'ready' ? `${manifest.tensorflow} in ${folder}${noDevice}` : null,
      mend: `npx cria setup --tensorflow ${name}${state === 'absent' ? '' : ` (what is there is ${state})`}`,
      required: false,
    });
  });
}

/** What a worker here would compute with, asked of a worker. */
function engine() {
  if (!existsSync(COMPILED_MAIN)) return [];
  const asked = [fileURLToPath(SCRIPT), 'worker', '--probe', '--json'];
  const { stdout } = spawnSync(process.execPath, asked, { encoding: 'utf8', timeout: PROBE_TIMEOUT_MS });
  const answer = parse(stdout);
  if (answer?.choices !== undefined) {
    return answer.choices.map(({ name, value, why }) => check(name, { found: `${value}: ${why}` }));
  }
  return [check('engine', { found: null, mend: answer?.error?.message ?? 'npx cria setup' })];
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function programs() {
  const { manager } = packageManager();
  return requirementsFor('test').map((requirement) => {
    const path = requirement.find();
    const version = path?.startsWith('/') ? versionOf(path) : null;
    return check(requirement.name, {
      found: path === null ? null : [path, version].filter((part) => part !== null).join(': '),
      mend: installCommands([requirement], manager).join(' && '),
      // Tests alone need the rest.
      required: requirement.required && requirement.goals.includes('start'),
    });
  });
}

function check(name, { found, mend = null, required = true }) {
  const ok = found !== null;
  return { name, ok, required, found, mend: ok ? null : mend };
}

function toLine({ name, ok, required, found, mend }) {
  const verdict = ok ? 'ok     ' : required ? 'MISSING' : 'absent ';
  return `${verdict}  ${name.padEnd(16)}${ok ? found : `mend: ${mend}`}\n`;
}

function freeDisk() {
  const { bavail, bsize } = statfsSync(ROOT);
  return gibibytes(bavail * bsize);
}

const gibibytes = (sizeBytes) => `${(sizeBytes / 2 ** 30).toFixed(1)} GiB`;

function readOptions(argv) {
  try {
    const options = {
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    };
    return parseArgs({ args: argv, options }).values;
  } catch (error) {
    throw new LauncherError(`doctor: ${error.message} (see \`cria doctor --help\`)`, 2);
  }
}
