import { formatLoss, formatPercent } from '../format';
import { numberIn } from '../series/live-series';
import type { RunFeed } from '../state/run-feed.svelte';

/** What a tab says when it is one of thirty: how far, how good, which run. */
export function tabTitle(feed: RunFeed, page: string): string {
  const { name, status, latest } = feed;
  if (name === '' || status === null) return 'Cria';
  const loss = numberIn(latest, 'loss');
  const share = status.steps ? formatPercent(Math.min(1, feed.step / status.steps)) : '';
  const state = status.phase === 'running' ? share : status.phase;
  return [state, loss === null ? '' : formatLoss(loss), name, page].filter((part) => part !== '').join(' · ');
}
