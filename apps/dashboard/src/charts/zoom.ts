// The part of the axis that is shown, and how the keys and buttons change it. null shows everything.

export type Window = readonly [number, number] | null;

/** Whole numbers: there is nothing between two steps, and the page's address stays short. */
export function wholeNumbers(window: Window): Window {
  if (window === null) return null;
  const [from, to] = [Math.floor(window[0]), Math.ceil(window[1])];
  return from < to ? [from, to] : [from, from + 1];
}

/** Half as wide, around the same middle. */
export function zoomedIn(shown: readonly [number, number]): Window {
  const quarter = (shown[1] - shown[0]) / 4;
  return [shown[0] + quarter, shown[1] - quarter];
}

/** Twice as wide; once that holds all there is, everything. */
export function zoomedOut(shown: readonly [number, number], all: readonly [number, number]): Window {
  const half = (shown[1] - shown[0]) / 2;
  const wider = [shown[0] - half, shown[1] + half] as const;
  return wider[0] <= all[0] && wider[1] >= all[1] ? null : wider;
}

/** The window a key asks for; undefined for keys that have nothing to do with it. */
export function windowForKey(
  key: string,
  shown: readonly [number, number],
  all: readonly [number, number],
): Window | undefined {
  const quarter = (shown[1] - shown[0]) / 4;
  switch (key) {
    case '+':
    case '=':
      return zoomedIn(shown);
    case '-':
      return zoomedOut(shown, all);
    case 'ArrowLeft':
      return [shown[0] - quarter, shown[1] - quarter];
    case 'ArrowRight':
      return [shown[0] + quarter, shown[1] + quarter];
    case '0':
    case 'Escape':
      return null;
    default:
      return undefined;
  }
}
