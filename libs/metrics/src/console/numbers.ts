// How numbers are written for people: short, and of a width that does not change from one step to the next. The pages
// (apps/dashboard/src/format.ts) write the same numbers in the same units.

/** 18234 as `18.2k`, 98.2 billion tokens as `98.2B`: at most four significant places. */
export function formatCount(value: number): string {
  return scaled(value, 1000, ['', 'k', 'M', 'B', 'T']);
}

/** 432013312 as `412MiB`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(rest) >= base * 0.9995 && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  return `${rest.toFixed(rest >= 100 || unit === 0 ? 0 : 1)}${units[unit]}`;
}

/** 1.31, 412.50, 7.31e+5: at most seven characters, two decimals as long as they fit. */
export function formatNorm(value: number): string {
  return Math.abs(value) < 10_000 ? value.toFixed(2) : value.toExponential(2);
}

/** 9.8123 nats; large ones (a run that diverges) shorter. */
export function formatLoss(value: number): string {
  return Math.abs(value) < 1000 ? value.toFixed(4) : value.toExponential(2);
}

/** 6.50e-4 */
export function formatRate(value: number): string {
  return value === 0 ? '0' : value.toExponential(2);
}

/** 812 ms, 12.3 s, 20 min: at most seven characters up to 999 minutes. */
export function formatShortTime(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return ms < 599_950 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** 3725000 ms as `1 h 02 min`; the two largest units that matter. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${pad(minutes % 60)} min`
    : `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
