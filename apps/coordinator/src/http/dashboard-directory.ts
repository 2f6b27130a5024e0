import { fileURLToPath } from 'node:url';

/** Where the built dashboard lies: apps/dashboard/dist, seen from this file under src/http or dist/http. */
export function dashboardDirectory(): string {
  return fileURLToPath(new URL('../../../dashboard/dist', import.meta.url));
}
