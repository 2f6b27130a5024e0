// The pages and where they live: the path names the page, the query the run and the view.

export const PAGES = [
  'run',
  'cluster',
  'samples',
  'checkpoints',
  'ledger',
  'logs',
  'alerts',
  'config',
  'compare',
] as const;
export type PageName = (typeof PAGES)[number];

export const PAGE_TITLES: Readonly<Record<PageName, string>> = {
  run: 'Curves',
  cluster: 'Cluster',
  samples: 'Samples',
  checkpoints: 'Checkpoints',
  ledger: 'Ledger',
  logs: 'Logs',
  alerts: 'Alerts',
  config: 'Configuration',
  compare: 'All runs',
};

/** A path that is no page's shows the run. */
export function pageOf(path: string): PageName {
  const name = path.replace(/^\/+|\/+$/g, '');
  return PAGES.find((page) => page === name && page !== 'run') ?? 'run';
}

export function pathOf(page: PageName): string {
  return page === 'run' ? '/' : `/${page}`;
}
