// Numbers as people read them. Wherever a number may be missing, a dash says so.

const DASH = '–';
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const minute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const day = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

export function formatInteger(value: number): string {
  return whole.format(value);
}

/** 98240888832 as `98.2B`. */
export function formatCompact(value: number | null | undefined): string {
  return value === null || value === undefined ? DASH : scaled(value, 1000, ['', 'k', 'M', 'B', 'T'], '');
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], ' ');
}

function scaled(value: number, base: number, units: readonly string[], space: string): string {
  let rest = value;
  let unit = 0;
  while (Math.abs(rest) >= base * 0.9995 && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 || Math.abs(rest) >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)}${space}${units[unit]}`.trimEnd();
}

/** A cell of a chart: missing, not finite, or a number. */
export function formatCell(value: number | null | undefined, format: (value: number) => string): string {
  if (value === undefined) return DASH;
  return value === null ? 'not finite' : format(value);
}

export function formatLoss(value: number | null | undefined): string {
  if (value === undefined) return DASH;
  return value === null ? 'not finite' : value.toFixed(4);
}

/** Three or four places that matter, whatever the size: 0.00065 as `6.50e-4`, 1.3124 as `1.312`. */
export function formatValue(value: number | null | undefined): string {
  if (value === null || value === undefined) return DASH;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-2 || size >= 1e6)) return value.toExponential(2);
  return size >= 100 ? formatInteger(value) : value.toPrecision(4).replace(/\.?0+$/, '');
}

/** A round number beside an axis: 11, 0.5, 1e-3, 20k. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e4) return scaled(value, 1000, ['', 'k', 'M', 'B', 'T'], '').replace(/\.0(?=[kMBT]?$)/, '');
  if (size !== 0 && size < 1e-3) return Number(value.toPrecision(3)).toExponential().replace('e+', 'e');
  return String(Number(value.toPrecision(5)));
}

/** The two largest units that matter: `1 h 02 min`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return DASH;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${pad(minutes % 60)} min`
    : `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

export function formatMilliseconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Silence is a fact, not a verdict: nobody is called dead here. */
export function formatContact(lastContactMs: number): string {
  return lastContactMs < 3_000 ? 'now' : `no contact for ${formatDuration(lastContactMs)}`;
}

/** The time of day; the day too when it was not within the last 24 hours. */
export function formatClock(wallMs: number, nowMs: number): string {
  const recent = Math.abs(nowMs - wallMs) < 24 * 3_600_000;
  return (recent ? clock : day).format(wallMs);
}

/** The time of day to the millisecond, as logs have it. */
export function formatClockMs(wallMs: number): string {
  return `${clock.format(wallMs)}.${String(Math.floor(wallMs % 1000)).padStart(3, '0')}`;
}

/** As much of the time as tells neighbouring ticks apart. */
export function formatTimeTick(wallMs: number, incrementMs: number): string {
  if (incrementMs >= 24 * 3_600_000) return date.format(wallMs);
  return (incrementMs >= 60_000 ? minute : clock).format(wallMs);
}

/** 0, 1, 2, 3, 7 as `0–3, 7`. */
export function formatRanges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const ranges: Array<[number, number]> = [];
  for (const number of sorted) {
    const open = ranges.at(-1);
    if (open !== undefined && number === open[1] + 1) open[1] = number;
    else ranges.push([number, number]);
  }
  const texts = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  return texts.length === 0 ? DASH : texts.join(', ');
}

/** 12.5 and 'USD' as `12.50 USD`; small sums keep the places that matter. */
export function formatMoney(amount: number, currency: string): string {
  const digits = amount !== 0 && Math.abs(amount) < 1 ? 4 : 2;
  return `${amount.toFixed(digits)} ${currency}`.trimEnd();
}

/** The first characters of a hash, as many as tell it from its neighbours. */
export function formatHash(hash: string | undefined): string {
  return hash === undefined || hash === '' ? DASH : hash.slice(0, 12);
}

export function formatPercent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 2 : 1)} %`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
