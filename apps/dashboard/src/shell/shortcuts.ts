// The keys of the page: one table for what they do and for the dialog that lists them.
import type { Axis } from '../api/types';
import type { Ask } from '../state/asks';
import { PAGES, PAGE_TITLES } from '../state/pages';
import type { RunFeed } from '../state/run-feed.svelte';
import { AXES, SMOOTHING_CHOICES } from '../state/view-settings';
import type { Theme } from '../state/view-settings';
import type { ViewState } from '../state/view-state.svelte';

export interface ShortcutContext {
  readonly view: ViewState;
  readonly feed: RunFeed;
  readonly onask: (ask: Ask) => void;
}

export interface Shortcut {
  readonly keys: readonly string[];
  readonly does: string;
  readonly act: (context: ShortcutContext, key: string) => void;
}

export const NEXT_THEME: Readonly<Record<Theme, Theme>> = { auto: 'light', light: 'dark', dark: 'auto' };

export const SHORTCUTS: readonly Shortcut[] = [
  {
    keys: PAGES.map((_, index) => String(index + 1)),
    does: `pages: ${PAGES.map((page, index) => `${index + 1} ${PAGE_TITLES[page].toLowerCase()}`).join(', ')}`,
    act: ({ view }: ShortcutContext, key: string) => view.go(PAGES[Number(key) - 1] ?? 'run'),
  },
  {
    keys: ['x'],
    does: 'next horizontal axis: step, tokens, time, active time',
    act: ({ view }: ShortcutContext) => view.change({ axis: nextAxis(view.settings.axis) }),
  },
  { keys: ['s'], does: 'more smoothing', act: ({ view }: ShortcutContext) => smooth(view, 1) },
  { keys: ['S'], does: 'less smoothing', act: ({ view }: ShortcutContext) => smooth(view, -1) },
  {
    keys: ['l'],
    does: 'logarithmic loss',
    act: ({ view }: ShortcutContext) => view.change({ logLoss: !view.settings.logLoss }),
  },
  {
    keys: ['k'],
    does: 'logarithmic horizontal axis',
    act: ({ view }: ShortcutContext) => view.change({ logX: !view.settings.logX }),
  },
  {
    keys: ['c'],
    does: 'clip outliers',
    act: ({ view }: ShortcutContext) => view.change({ clip: !view.settings.clip }),
  },
  {
    keys: ['e'],
    does: 'events on the curve',
    act: ({ view }: ShortcutContext) => view.change({ markers: !view.settings.markers }),
  },
  {
    keys: [',', '.'],
    does: 'event before, event after, on the loss curve',
    act: (_context: ShortcutContext, key: string): void => {
      const plot = document.querySelector<HTMLElement>('.chart.tall .plot');
      // The chart takes these keys itself; one that comes back from it has nothing to tell.
      if (plot == null || plot === document.activeElement) return;
      plot.focus();
      plot.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    },
  },
  {
    keys: ['0', 'Escape'],
    does: 'show all',
    act: ({ view }: ShortcutContext) => view.change({ window: null }),
  },
  {
    keys: ['p'],
    does: 'pause or resume, after asking',
    act: ({ feed, onask }: ShortcutContext): void => {
      const phase = feed.status?.phase;
      if (phase === undefined || ['finished', 'stopped', 'failed', 'unknown'].includes(phase)) return;
      onask({ kind: 'control', control: { name: phase === 'paused' ? 'resume' : 'pause' } });
    },
  },
  {
    keys: ['t'],
    does: 'light, dark, or as the system has it',
    act: ({ view }: ShortcutContext) => view.change({ theme: NEXT_THEME[view.settings.theme] }),
  },
  {
    keys: ['/'],
    does: 'to the filter of the page',
    act: (): void => document.querySelector<HTMLInputElement>('input[type=search]')?.focus(),
  },
];

function nextAxis(axis: Axis): Axis {
  return AXES[(AXES.indexOf(axis) + 1) % AXES.length] ?? 'step';
}

function smooth(view: ViewState, by: 1 | -1): void {
  const now = SMOOTHING_CHOICES.findLastIndex((steps) => steps <= view.settings.smoothSteps);
  const wanted = SMOOTHING_CHOICES[Math.max(0, Math.min(SMOOTHING_CHOICES.length - 1, now + by))];
  view.change({ smoothSteps: wanted ?? 1 });
}
