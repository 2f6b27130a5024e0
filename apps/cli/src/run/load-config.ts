// Which configuration a command line means: flag, then environment, then file, then preset.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseOverride, parseRunConfig, type Override, type RunConfig } from '@cria/protocol';
import { CriaError, systemCode } from '@cria/runtime';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { optionWithEnv } from '../command.js';
import { ROOT } from '../places.js';

export interface ConfigFlags {
  readonly config?: string;
  readonly set: readonly Override[];
}

/** Adds `--config` and `--set` to a command. */
export function addConfigOptions(command: Command): Command {
  return command
    .addOption(
      optionWithEnv(
        '--config <file>',
        'run configuration (YAML), or the name of one under configs/',
        'CRIA_CONFIG',
      ),
    )
    .addOption(
      new Option(
        '--set <path=value>',
        'override one field of the configuration (repeatable; also CRIA_SET, separated by ";")',
      )
        .argParser(collectOverride)
        .default([], 'none'),
    );
}

function collectOverride(text: string, before: readonly Override[]): Override[] {
  try {
    return [...before, parseOverride(text)];
  } catch (error) {
    throw new InvalidArgumentError(CriaError.from(error).message);
  }
}

/** Path of the configuration that `--config` means: a file, or the name of one under configs/. */
export function configPath(text: string): string {
  return /^[\w.-]+$/.test(text) && !/\.ya?ml$/.test(text) ? join(ROOT, 'configs', `${text}.yaml`) : text;
}

/**
 * The configuration of a command line, validated, with the paths of its data made absolute.
 *
 * @param options.file where `--config` is absent too
 * @param options.overrides of the command's own flags; `--set` wins over them
 * @throws CriaError CONFIG_INVALID or USAGE, naming the place
 */
export function loadConfig(options: {
  flags: ConfigFlags;
  file: string;
  overrides?: readonly Override[];
  environment?: NodeJS.ProcessEnv;
}): RunConfig {
  const { flags, file, overrides = [], environment = process.env } = options;
  const fromEnvironment = (environment['CRIA_SET'] ?? '').split(';').filter((text) => text.trim() !== '');
  const all = [
    ...fromEnvironment.map((text) => parseOverride(text.trim(), 'CRIA_SET')),
    ...overrides,
    ...flags.set,
  ];
  return withAbsolutePaths(parseRunConfig(readConfigFile(file), file, all));
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = systemCode(error) === 'ENOENT' ? 'there is no such file' : String(systemCode(error));
    throw new CriaError('CONFIG_INVALID', `cannot read the configuration ${file}: ${reason}`, {
      cause: error,
    });
  }
}

function withAbsolutePaths(config: RunConfig): RunConfig {
  const train = config.data.train.map((source) => ({ ...source, path: resolve(source.path) }));
  const { store } = config.checkpoint;
  const checkpoint = store === null ? config.checkpoint : { ...config.checkpoint, store: resolve(store) };
  return { ...config, data: { ...config.data, train }, checkpoint };
}
