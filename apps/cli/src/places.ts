// Where the clone's own files lie, from the compiled command's place.
import { fileURLToPath } from 'node:url';

/** Root of the clone, with a trailing slash. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The script that starts any `cria` command as a child process. */
export const CRIA_SCRIPT = fileURLToPath(new URL('../bin/cria.mjs', import.meta.url));
