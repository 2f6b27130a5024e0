// A run in a few lines of text, for `cria status`, and for `cria watch` where nothing can be drawn.
import {
  formatDuration,
  formatLoss,
  formatCount,
  gravityOf,
  printableIn,
  signOf,
  type RunEventKind,
  type TerminalStyle,
} from '@cria/metrics';
import { timeOfDay } from '../watch/chart.js';
import type { AlertData, EventData, RunData } from '../watch/run-data.js';
import { memberColumns } from './member-table.js';
import { formatTable } from './table.js';

export interface DescribedRun extends RunData {
  readonly events?: readonly EventData[];
  readonly alerts?: readonly AlertData[];
}

/** @param options.width of the table; Infinity where lines have no end */
export function describeRun(run: DescribedRun, options: { width: number; style: TerminalStyle }): string {
  const { width, style } = options;
  const show = printableIn(style);
  const { glyphs } = style;
  const alerts = (run.alerts ?? []).map(
    ({ text, step }) => `${glyphs.attention} ${show(text)}  (step ${step})`,
  );
  const events = (run.events ?? []).map(
    ({ wallMs, kind, text }) =>
      `${timeOfDay(wallMs)} ${signOf(gravityOf(kind as RunEventKind), style)} ${show(text)}`,
  );
  const table = formatTable(memberColumns(show, run.members), run.members, {
    width,
    ellipsis: glyphs.ellipsis,
  });
  return [
    `${show(run.run)}  ${show(run.phase)}${run.reason === '' ? '' : `: ${show(run.reason)}`}`,
    progressOf(run),
    ...numbersOf(run),
    `term ${run.term}, leader ${show(run.leader) || 'none'}, coordinators ${run.coordinators.map(({ address }) => show(address)).join(', ') || 'none'}`,
    `seats: ${run.seats.target} wanted, ${run.seats.waiting} open`,
    ...(run.mathHash === '' ? [] : [`mathHash ${show(run.mathHash)}`]),
    ...section(alerts),
    ...(run.members.length === 0 ? [] : section(table)),
    ...section(events),
  ].join('\n');
}

function section(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines];
}

function progressOf({ step, steps, tokens, remainingMs, phase }: RunData): string {
  const share = steps === null || steps === 0 ? '' : ` of ${steps} (${((100 * step) / steps).toFixed(1)}%)`;
  const isOpen = !['finished', 'stopped', 'failed'].includes(phase);
  const left = remainingMs === null || !isOpen ? '' : `, ${formatDuration(remainingMs)} left`;
  return `step ${step}${share}, ${formatCount(tokens)} tokens${left}`;
}

function numbersOf({ latest, valLoss }: RunData): string[] {
  if (latest === null) return [];
  const { loss, tokensPerSecond } = latest;
  return [
    [
      `loss ${typeof loss === 'number' ? formatLoss(loss) : 'not finite'}`,
      ...(valLoss === null ? [] : [`validation ${formatLoss(valLoss)}`]),
      ...(typeof tokensPerSecond === 'number' ? [`${formatCount(tokensPerSecond)} tok/s`] : []),
    ].join(', '),
  ];
}
