// The pages and the API for runs on disk, with no training under way: what `cria dashboard` runs.
import { randomId, requireLoopback, systemClock, type Log } from '@cria/runtime';
import { dashboardDirectory } from './http/dashboard-directory.js';
import { createHttpServer } from './http/server.js';
import { DirectoryCatalog } from './runs/run-catalog.js';

export interface ServeRunsOptions {
  /** Holds a directory per run. */
  readonly runsDir: string;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  readonly log: Log;
}

export interface ServedRuns {
  /** As one would open it here. */
  readonly address: string;
  /** For tags and notes. */
  readonly token: string;
  stop(): Promise<void>;
}

/** Serves until `stop`. Throws PORT_IN_USE or CONFIG_INVALID. */
export async function serveRuns({ runsDir, host, port, log }: ServeRunsOptions): Promise<ServedRuns> {
  requireLoopback(host);
  const token = randomId(16);
  const clock = systemClock;
  const catalog = new DirectoryCatalog({ runsDir, live: null, liveDir: null, token, clock, log });
  const staticDir = dashboardDirectory();
  const server = await createHttpServer({ view: null, catalog, staticDir, host, port, clock, log });
  return {
    address: server.address,
    token,
    stop: async () => {
      await server.stop();
      await catalog.close();
    },
  };
}
