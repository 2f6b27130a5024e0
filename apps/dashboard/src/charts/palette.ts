// The colours of the style sheet as a canvas needs them: resolved, for the theme that is on.

let probe: HTMLElement | null = null;
let cache = new Map<string, string>();

/** How many colours runs, workers and prompts share: `--s0` to `--s7`. */
export const SERIES_COLOURS = 8;

/** The present value of `--name`. */
export function colour(name: string): string {
  const known = cache.get(name);
  if (known !== undefined) return known;
  if (probe === null) {
    probe = document.createElement('span');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  const value = getComputedStyle(probe).color;
  cache.set(name, value);
  return value;
}

/** The same colour, fainter. */
export function faint(name: string, alpha: number): string {
  return `color-mix(in srgb, ${colour(name)} ${Math.round(alpha * 100)}%, transparent)`;
}

/** To be called when the theme changes, before the charts are drawn again. */
export function forgetColours(): void {
  cache = new Map();
}
