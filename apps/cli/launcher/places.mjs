// Where things lie in a clone, as URLs.
export const ROOT = new URL('../../../', import.meta.url);
export const SCRIPT = new URL('../bin/cria.mjs', import.meta.url);
export const COMPILED_MAIN = new URL('../dist/main.js', import.meta.url);
export const NX = new URL('node_modules/nx/dist/bin/nx.js', ROOT);
/** Builds the native addon; a clone without it has the tfjs engine only. */
export const ADDON_BUILDER = new URL('libs/kernels/build-addon.mjs', ROOT);
export const ADDON = new URL('libs/kernels/build/Release/cria_kernels.node', ROOT);
export const BUILD_STAMP = new URL('.cache/build-stamp', ROOT);
export const WORKSPACE_FOLDERS = ['libs', 'apps', 'tests'];
