export function percentiles(values: readonly number[]): { n: number; p50: number; p95: number; max: number } {
  const ascending = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? Number.NaN;
  return { n: ascending.length, p50: at(0.5), p95: at(0.95), max: at(1) };
}
