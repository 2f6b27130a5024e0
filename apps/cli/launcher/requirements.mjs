// What Cria needs beyond Node and npm, for which goal, and the package that brings it.
import { existsSync } from 'node:fs';
import { findBrowser, findCompiler, findRedis } from './machine.mjs';
import { ADDON_BUILDER } from './places.mjs';

/**
 * @typedef {object} Requirement
 * @property {string} name what people call it
 * @property {string} why
 * @property {ReadonlyArray<'start'|'test'>} goals for which it is looked for
 * @property {boolean} required false: Cria works without it, slower
 * @property {() => (string|null)} find its path, or null
 * @property {ReadonlyArray<string>} apt
 * @property {ReadonlyArray<string>} brew
 */

/** @type {ReadonlyArray<Requirement>} */
const REQUIREMENTS = [
  {
    name: 'redis-server',
    why: 'queues, lease and ledger of a run',
    goals: ['start', 'test'],
    required: true,
    find: () => (process.env.REDIS_URL ? `REDIS_URL=${process.env.REDIS_URL}` : findRedis()),
    apt: ['redis-server'],
    brew: ['redis'],
  },
  {
    name: 'a C++ compiler',
    why: 'builds the native engine',
    goals: ['start', 'test'],
    required: false,
    find: findCompiler,
    apt: ['g++'],
    brew: ['gcc'],
  },
  {
    name: 'chromium',
    why: 'the tests look at the dashboard with it',
    goals: ['test'],
    required: true,
    find: findBrowser,
    apt: ['chromium'],
    brew: ['--cask', 'chromium'],
  },
];

/** Everything that matters for the goal in this clone; a compiler only where there is an addon to build. */
export function requirementsFor(goal) {
  const hasAddon = existsSync(ADDON_BUILDER);
  return REQUIREMENTS.filter(
    (requirement) => requirement.goals.includes(goal) && (hasAddon || requirement.find !== findCompiler),
  );
}

/** The commands that a person types to install `missing`, one a line. */
export function installCommands(missing, manager) {
  if (process.platform === 'win32') return ['wsl --install    # Cria runs on Windows inside WSL'];
  if (manager === 'brew') return missing.map(({ brew }) => `brew install ${brew.join(' ')}`);
  const packages = missing.flatMap(({ apt }) => apt).join(' ');
  if (manager === 'apt') return ['sudo apt-get update', `sudo apt-get install -y ${packages}`];
  return [`install with this system's package manager: ${packages}`];
}
