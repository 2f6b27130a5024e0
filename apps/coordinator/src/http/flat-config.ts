// A configuration as flat keys, so that two of them can be compared line by line.

const MAX_KEYS = 2000;

/** `{optimizer: {peakLr: 1}}` as `{'optimizer.peakLr': 1}`; an empty list or mapping stands as `[]` or `{}`. */
export function flatConfig(config: unknown): Record<string, string | number | boolean | null> {
  const flat: Record<string, string | number | boolean | null> = Object.create(null);
  let keys = 0;
  const walk = (value: unknown, path: string, depth: number): void => {
    if (keys >= MAX_KEYS) return;
    if (typeof value === 'object' && value !== null && depth < 32) {
      const members = Object.entries(value);
      for (const [key, member] of members) walk(member, path === '' ? key : `${path}.${key}`, depth + 1);
      if (members.length > 0 || path === '') return;
    }
    keys++;
    flat[path] = leaf(value);
  };
  walk(config, '', 0);
  return { ...flat };
}

function leaf(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return JSON.stringify(value);
}
