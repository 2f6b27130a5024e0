// <run>/config.yaml, the configuration that a run was started with.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRunConfig, type RunConfig } from '@cria/protocol';
import { CriaError } from '@cria/runtime';

export const CONFIG_FILE = 'config.yaml';

/** @throws CriaError RUN_NOT_FOUND when the directory holds no run, CONFIG_INVALID when its file is damaged */
export function readRunConfig(runDir: string): RunConfig {
  const path = join(runDir, CONFIG_FILE);
  if (!existsSync(path)) {
    throw new CriaError(
      'RUN_NOT_FOUND',
      `${runDir} is not the directory of a run: it holds no ${CONFIG_FILE}`,
    );
  }
  return parseRunConfig(readFileSync(path, 'utf8'), path);
}
