// What is trained when nobody names a configuration: the quick start, in the size that this machine's engine carries.
import { existsSync } from 'node:fs';
import type { RunConfig } from '@cria/protocol';
import { askWorker, type ProbeRequest } from '../engine/probe.js';
import { configPath } from '../run/load-config.js';
import { prepareTokens } from '../data/prepare-tokens.js';
import type { Terminal } from '../terminal.js';

/** Run name of both quick-start configurations. */
export const QUICKSTART = 'quickstart';

/** The quick start's configuration: the full one with the native engine or TensorFlow, a smaller one with wasm. */
export async function quickstartFile(
  request: Omit<ProbeRequest, 'precision'>,
  signal: AbortSignal,
): Promise<string> {
  const { kind, backend } = await askWorker({ ...request, precision: 'auto' }, signal);
  const isFast = kind === 'native' || backend === 'tensorflow';
  return configPath(isFast ? QUICKSTART : `${QUICKSTART}-tfjs`);
}

/** Makes the quick start's corpus where it is missing. */
export async function prepareQuickstart(
  terminal: Terminal,
  config: RunConfig,
  signal: AbortSignal,
): Promise<void> {
  const [source] = config.data.train;
  if (source === undefined || existsSync(source.path)) return;
  terminal.line(`preparing ${source.path} (The World Factbook, public domain)`);
  await prepareTokens(terminal, { inputs: ['factbook'], outDir: source.path, field: 'text', signal });
}
