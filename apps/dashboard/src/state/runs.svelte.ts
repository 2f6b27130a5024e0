// All runs that this coordinator knows, for the switcher and the comparison; read again now and then.
import { listRuns } from '../api/client';
import type { RunBrief } from '../api/types';
import { every } from '../browser-clock';

const REREAD_MS = 5_000;

export class Runs {
  list = $state.raw<readonly RunBrief[]>([]);
  problem = $state<string | null>(null);
  loaded = $state(false);
  #cancel: () => void = () => undefined;

  start(): void {
    void this.reload();
    this.#cancel = every(REREAD_MS, () => {
      if (!document.hidden) void this.reload();
    });
  }

  stop(): void {
    this.#cancel();
  }

  async reload(): Promise<void> {
    try {
      this.list = await listRuns();
      this.problem = null;
      this.loaded = true;
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }
}
