// Which run a command means: --out DIR, --coordinators, CRIA_COORDINATORS, else the only one that runs here.
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CriaError } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { optionWithEnv } from '../command.js';
import { isAlive, readRunFile } from './run-file.js';

export interface FindFlags {
  readonly out?: string;
  readonly coordinators?: string;
  readonly token?: string;
}

/** How to reach a run. */
export interface RunHandle {
  /** Base addresses of the coordinators' HTTP servers, without a trailing slash. */
  readonly bases: readonly string[];
  /** Needed to control the run; null = only reading works. */
  readonly token: string | null;
  readonly outDir: string | null;
}

/** Adds the options that find a run. */
export function addFindOptions(command: Command): Command {
  return command
    .addOption(new Option('--out <dir>', "the run's directory"))
    .addOption(
      optionWithEnv(
        '--coordinators <host:port,...>',
        'HTTP addresses of its coordinators',
        'CRIA_COORDINATORS',
      ),
    )
    .addOption(optionWithEnv('--token <token>', "the run's token (run.json has it)", 'CRIA_TOKEN'));
}

/** @throws CriaError RUN_NOT_FOUND or USAGE, saying how to name the run */
export function findRun(flags: FindFlags): RunHandle {
  if (flags.out !== undefined) return runIn(flags.out, flags.token);
  if (flags.coordinators !== undefined) return runAt(flags.coordinators, flags.token);
  const here = runsOfThisMachine();
  const [only] = here;
  if (only === undefined) {
    throw new CriaError(
      'RUN_NOT_FOUND',
      'no run is under way in ./runs: name its directory with --out, or its coordinators with --coordinators',
    );
  }
  if (here.length > 1) {
    throw new CriaError('USAGE', `several runs are under way: name one with --out: ${here.join(', ')}`);
  }
  return runIn(only, flags.token);
}

/** The addresses as they are now: coordinators that were started again may have others. */
export function reachableBases({ bases, outDir }: RunHandle): readonly string[] {
  const file = outDir === null ? null : readRunFile(outDir);
  const now = (file?.coordinators ?? []).map(({ httpAddress }) => baseOf(httpAddress));
  return now.length === 0 ? bases : now;
}

function runIn(outDir: string, token: string | undefined): RunHandle {
  const file = readRunFile(outDir);
  if (file === null) {
    throw new CriaError('RUN_NOT_FOUND', `${resolve(outDir)} holds no run.json: no run was started there`);
  }
  if ('source' in file && file.source === 'logged') {
    const sentence = `the run in ${resolve(outDir)} is logged by another program: there is no coordinator to ask`;
    throw new CriaError('RUN_NOT_FOUND', sentence);
  }
  if (!isAlive(file)) {
    const how = file.phase === 'finished' ? 'has finished' : 'is not running';
    const remedy = file.phase === 'finished' ? '' : `: \`cria up --out ${outDir} --resume\` continues it`;
    throw new CriaError('RUN_NOT_FOUND', `the run in ${resolve(outDir)} ${how}${remedy}`);
  }
  return {
    bases: file.coordinators.map(({ httpAddress }) => baseOf(httpAddress)),
    token: token ?? file.token,
    outDir,
  };
}

function runAt(coordinators: string, token: string | undefined): RunHandle {
  const bases = coordinators
    .split(',')
    .map((address) => address.trim())
    .filter((address) => address !== '')
    .map(baseOf);
  if (bases.length === 0) throw new CriaError('USAGE', '--coordinators wants HOST:PORT, separated by commas');
  return { bases, token: token ?? null, outDir: null };
}

/** `127.0.0.1:8080` or a whole URL, as a base address. */
export function baseOf(address: string): string {
  const base = /^https?:\/\//.test(address) ? address : `http://${address}`;
  if (!URL.canParse(base) || new URL(base).host === '') {
    throw new CriaError('USAGE', `"${address}" is not HOST:PORT`);
  }
  return base.replace(/\/+$/, '');
}

function runsOfThisMachine(): string[] {
  if (!existsSync('runs')) return [];
  return readdirSync('runs')
    .map((name) => join('runs', name))
    .filter((folder) => {
      const file = readRunFile(folder);
      return file !== null && isAlive(file);
    });
}
