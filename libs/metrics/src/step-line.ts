// The one line that a step is worth in a terminal, and how its numbers are written.
import type { StepMetrics } from './step-metrics.js';

/** ANSI styles, or nothing where colour is not wanted. */
export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly good: (text: string) => string;
}

const sgr = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`;
const plain = (text: string): string => text;

export const COLOURS: Paint = { bold: sgr(1), dim: sgr(2), warn: sgr(33), good: sgr(32) };
export const NO_COLOURS: Paint = { bold: plain, dim: plain, warn: plain, good: plain };

/** `step  12/200  loss 9.8123  norm 1.31  lr 6.50e-4  18.2k tok/s  2 workers`, and what was out of the ordinary. */
export function formatStepLine(row: StepMetrics, steps: number, paint: Paint = NO_COLOURS): string {
  const count = String(row.step + 1).padStart(String(steps).length);
  const parts = [
    paint.dim(`step ${count}/${steps}`),
    `loss ${paint.bold(formatLoss(row.loss))}`,
    ...(row.valLoss === undefined ? [] : [`val ${paint.good(formatLoss(row.valLoss))}`]),
    `norm ${row.gradNorm === null ? paint.warn('not finite') : row.gradNorm.toFixed(2)}`,
    paint.dim(`lr ${row.lr.toExponential(2)}`),
    `${formatCount(row.tokensPerSecond)} tok/s`,
    ...(row.mfu === null ? [] : [`mfu ${(row.mfu * 100).toFixed(1)}%`]),
    paint.dim(`${row.workers} ${row.workers === 1 ? 'worker' : 'workers'}`),
    ...(row.attempts > 1 ? [paint.warn(`${row.attempts} attempts`)] : []),
    ...(row.lostMs > 0 ? [paint.warn(`lost ${Math.round(row.lostMs)} ms`)] : []),
    ...(row.verdict === 'use' ? [] : [paint.warn(row.verdict === 'skip' ? 'skipped' : 'stopped the run')]),
  ];
  return parts.join('  ');
}

function formatLoss(loss: number | null): string {
  return loss === null ? 'not finite' : loss.toFixed(4);
}

/** 18234 as `18.2k`; at most four significant places. */
export function formatCount(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T'] as const;
  let scaled = value;
  let unit = 0;
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled >= 100 || unit === 0 ? scaled.toFixed(0) : scaled.toFixed(1)}${units[unit]}`;
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
