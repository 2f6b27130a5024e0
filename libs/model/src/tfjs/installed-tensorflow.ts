// TensorFlow where `cria setup --tensorflow` puts it (apps/cli/launcher/tensorflow): a folder of the user's cache, not a
// dependency. It is complete or not there: the manifest is written last, then the folder renamed.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

/** Of the recipe that filled the folder; another one is as good as none. */
const LAYOUT = 1;

const FOLDERS: Readonly<Record<string, string>> = {
  '@tensorflow/tfjs-node': 'cpu',
  '@tensorflow/tfjs-node-gpu': 'gpu',
};

/** $XDG_CACHE_HOME/cria/tensorflow, or the same under ~/.cache. A relative path counts as none, as XDG says. */
export function tensorFlowFolder(environment: NodeJS.ProcessEnv): string {
  const named = environment['XDG_CACHE_HOME'] ?? '';
  return path.join(path.isAbsolute(named) ? named : path.join(homedir(), '.cache'), 'cria', 'tensorflow');
}

/** @returns the folder whose node_modules hold the package; null when it was not set up for this version of Cria */
export function installedTensorFlow(packageName: string, environment: NodeJS.ProcessEnv): string | null {
  const name = FOLDERS[packageName];
  if (name === undefined) return null;
  const folder = path.join(tensorFlowFolder(environment), name);
  return layoutOf(folder) === LAYOUT ? folder : null;
}

function layoutOf(folder: string): unknown {
  try {
    const manifest = JSON.parse(readFileSync(path.join(folder, 'installed.json'), 'utf8')) as {
      layout?: unknown;
    };
    return manifest.layout;
  } catch {
    return null;
  }
}
