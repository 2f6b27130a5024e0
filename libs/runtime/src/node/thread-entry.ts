import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * URL of a thread's compiled entry file beside the caller.
 *
 * Tests run the caller from `src/`, threads need JavaScript: there the file of the same name under `dist/` is meant.
 *
 * @param callerUrl the caller's `import.meta.url`
 * @param name file name without extension, relative to the caller
 */
export function threadEntry(callerUrl: string, name: string): URL {
  const path = fileURLToPath(new URL(`${name}.js`, callerUrl));
  const at = path.lastIndexOf('/src/');
  const inPackage = callerUrl.endsWith('.ts') && at >= 0;
  return pathToFileURL(inPackage ? `${path.slice(0, at)}/dist/${path.slice(at + 5)}` : path);
}
