import { formatRunConfig, type RunConfig } from '@cria/protocol';
import { join } from 'node:path';
import { makeOnce } from './run-file.js';

/** `<out>/config.yaml`, with which the run was started; `cria up` has written it before there is a coordinator. */
export function keepConfigFile(outDir: string, config: RunConfig): void {
  makeOnce(join(outDir, 'config.yaml'), formatRunConfig(config), 0o644);
}
