// config.yaml, the configuration that a run was started with. `cria up` writes it before there is a coordinator.
import { formatRunConfig, type RunConfig } from '@cria/protocol';
import { CriaError, systemCode } from '@cria/runtime';
import { linkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes `<out>/config.yaml` unless it is there; of several coordinators that start together one does. */
export function keepConfigFile(outDir: string, config: RunConfig): void {
  const path = join(outDir, 'config.yaml');
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, formatRunConfig(config));
    linkSync(temporary, path);
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST')
      throw new CriaError('STORAGE_FAILED', `${path} cannot be written: ${String(cause)}`, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
}
