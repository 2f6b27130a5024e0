// Text to a token directory, with a progress bar.
import { prepare, prepareFactbook, type TokenManifest } from '@cria/data';
import type { Terminal } from '../terminal.js';

/** The input that means the corpus of the quick start, which a dependency ships. */
export const FACTBOOK = 'factbook';

/** Errors: as `prepare` of @cria/data. */
export async function prepareTokens(
  terminal: Terminal,
  options: { inputs: readonly string[]; outDir: string; field: string; signal: AbortSignal },
): Promise<TokenManifest> {
  const { inputs, outDir, field, signal } = options;
  const progress = terminal.progress('tokens');
  const control = {
    signal,
    onProgress: ({ readBytes, totalBytes }: { readBytes: number; totalBytes: number }) =>
      progress.update(readBytes, totalBytes),
  };
  try {
    const isFactbook = inputs.length === 1 && inputs[0] === FACTBOOK;
    if (isFactbook) return (await prepareFactbook(outDir, control)).manifest;
    return await prepare({ inputs, outDir, field, ...control });
  } finally {
    progress.end();
  }
}
