// Brings missing system packages onto the machine, or says in one message how a person does it.
import { spawnSync } from 'node:child_process';
import { LauncherError } from './launcher-error.mjs';
import { packageManager } from './machine.mjs';
import { installCommands, requirementsFor } from './requirements.mjs';

// RUNLEVEL=1: Debian then installs the Redis service without starting it; Cria starts its own server.
const QUIETLY = ['env', 'DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1'];

/**
 * @param goal 'start' or 'test'
 * @param note takes one line of progress
 * @returns the names of what was installed
 * @throws LauncherError (exit code 2) listing the commands when something required stays missing
 */
export function installMissing(goal, note) {
  const missing = requirementsFor(goal).filter(({ find }) => find() === null);
  if (missing.length === 0) return [];
  const { manager, prefix } = packageManager();
  if (manager === 'apt' && prefix !== null) installWithApt(missing, prefix, note);
  const still = missing.filter(({ find }) => find() === null);
  if (still.some(({ required }) => required)) {
    const what = still.map(({ name, why }) => `${name} (${why})`).join(', ');
    const commands = installCommands(still, manager).map((command) => `\n  ${command}`);
    throw new LauncherError(
      `missing on this machine: ${what}. Install it and try again:${commands.join('')}`,
      2,
    );
  }
  return missing.filter((requirement) => !still.includes(requirement)).map(({ name }) => name);
}

function installWithApt(missing, prefix, note) {
  const packages = missing.flatMap(({ apt }) => apt);
  note(`setup: installing ${packages.join(', ')} with apt`);
  const apt = (...args) => runQuietly([...prefix, ...QUIETLY, 'apt-get', ...args], note);
  if (!apt('update', '-q')) note('setup: apt-get update failed; trying with the lists that are there');
  apt('install', '-y', '-q', '--no-install-recommends', ...packages);
}

function runQuietly([program, ...args], note) {
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 600_000,
  });
  if (status === 0) return true;
  const reason = error?.message ?? stderr.trim().split('\n').slice(-3).join(' | ');
  note(`setup: ${[program, ...args].join(' ')} failed: ${reason}`);
  return false;
}
