import type { RunCatalog, RunView } from './run-view.js';

/** A catalog of one run, or of none. */
export class OneRun implements RunCatalog {
  readonly live: RunView | null;

  constructor(view: RunView | null) {
    this.live = view;
  }

  list(): Promise<readonly RunView[]> {
    return Promise.resolve(this.live === null ? [] : [this.live]);
  }

  find(id: string): Promise<RunView | null> {
    return Promise.resolve(this.live !== null && isCalled(this.live, id) ? this.live : null);
  }

  authorised(token: string): boolean {
    return this.live?.authorised(token) ?? false;
  }
}

export function isCalled(view: RunView, id: string): boolean {
  const facts = view.facts();
  return id === facts.id || id === facts.runId || id === facts.run;
}
