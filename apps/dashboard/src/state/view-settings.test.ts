import { describe, expect, it } from 'vitest';
import { PAGES, pageOf, pathOf } from './pages';
import { DEFAULT_VIEW, formatView, parseView } from './view-settings';

describe('the address of the page', () => {
  it('gives back the view it was made from', () => {
    const view = {
      run: 'a b&c=<d>',
      axis: 'tokens',
      logLoss: true,
      logX: true,
      smoothing: 'time',
      smoothSteps: 200,
      clip: true,
      window: [1_000_000, 98_240_888_832],
      markers: false,
      price: 2.49,
      theme: 'dark',
      detail: { worker: 'w-1 & co', level: 'warn' },
    } as const;
    expect(parseView(formatView(view))).toEqual(view);
  });

  it('is bare for the view everybody starts with', () => {
    expect(formatView(DEFAULT_VIEW)).toBe('');
    expect(parseView('')).toEqual(DEFAULT_VIEW);
  });

  it('may be nonsense', () => {
    expect(parseView('?x=moon&smooth=-3&from=9&to=1&theme=pink&log=yes&by=guess&price=-1')).toEqual(
      DEFAULT_VIEW,
    );
    expect(parseView('?from=1').window).toBeNull();
    expect(parseView('?from=a&to=b').window).toBeNull();
  });

  it('names the page by its path', () => {
    for (const page of PAGES) expect(pageOf(pathOf(page))).toBe(page);
    expect(pageOf('/cluster/')).toBe('cluster');
    expect(pageOf('/nowhere')).toBe('run');
  });
});
