// A series in one row of a terminal.
import type { BucketData } from './run-data.js';

const UNICODE = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII = ['_', '.', '-', '=', '+', '*', '#'];

/** The last `width` buckets, from 0 to the greatest of them; a bucket without a value is a space. */
export function sparkline(buckets: readonly BucketData[], width: number, unicode: boolean): string {
  const signs = unicode ? UNICODE : ASCII;
  const shown = buckets.slice(-Math.max(0, width));
  const greatest = Math.max(0, ...shown.map(({ last }) => last ?? 0));
  return shown
    .map(({ last }) => {
      if (last === null) return ' ';
      const share = greatest === 0 ? 0 : Math.max(0, last) / greatest;
      return signs[Math.min(signs.length - 1, Math.floor(share * signs.length))] ?? ' ';
    })
    .join('');
}
