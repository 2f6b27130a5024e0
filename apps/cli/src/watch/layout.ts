// The view as lines, for any size of terminal: what does not fit is left out from the least important on, and no line is
// ever wider or lower than the screen.
import {
  NO_COLOURS,
  drawBar,
  formatCount,
  formatDuration,
  formatLoss,
  formatNorm,
  formatRate,
  gravityOf,
  printableIn,
  signOf,
  type Gravity,
  type RunEventKind,
  type TerminalStyle,
} from '@cria/metrics';
import { contactOf, isStraggler, memberColumns, SILENT_MS } from '../run/member-table.js';
import { formatTable } from '../run/table.js';
import { drawChart, MARKS_LEGEND, timeOfDay } from './chart.js';
import { span, spread, type Ink, type Line } from './ink.js';
import { isOpen, shownPart, type Question, type WatchModel } from './model.js';
import type { AlertData, EventData, MemberData, RunData } from './run-data.js';
import { sparkline } from './sparkline.js';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** Silence of the stream before it is worth a word: a status comes every second. */
const STALE_MS = 4_000;
/** A lost connection that is back within this was none to speak of. */
const LOST_MS = 2_000;
const MAX_ALERT_ROWS = 3;

/** Exactly `rows` lines or fewer. */
export function layout(model: WatchModel, size: Size, style: TerminalStyle, nowMs: number): Line[] {
  const { columns, rows } = size;
  const head = headLines(model, columns, style, nowMs);
  const foot = [footLine(model, columns, style)];
  const room = rows - head.length - foot.length;
  if (room < 1) return [...head, ...foot].slice(0, rows);
  const body = model.help ? helpLines(style) : bodyLines(model, { columns, rows: room }, style);
  const filled = Array.from({ length: room }, (_, row) => body[row] ?? []);
  return [...head, ...filled, ...foot];
}

function headLines(model: WatchModel, columns: number, style: TerminalStyle, nowMs: number): Line[] {
  const { run } = model;
  const contact = contactLine(model, nowMs);
  if (run === null) return [[span('cria watch', 'bold'), span('  '), ...contact]];
  const show = printableIn(style);
  const title = [
    span(show(run.run), 'bold'),
    span('  '),
    span(show(run.phase), phaseInk(run.phase)),
    ...(run.reason === '' ? [] : [span(`: ${show(run.reason)}`, 'warn' as Ink)]),
  ];
  const members = run.members.filter(({ role }) => role === 'member').length;
  const seats = run.seats.waiting > 0 ? `, ${run.seats.waiting} wanted` : '';
  const right = [span(`${counted(members, 'worker')}${seats}  term ${run.term}`, 'dim')];
  return [
    spread(title, right, columns),
    progressLine(run, columns, style),
    numbersLine(run),
    ...one(contact),
  ];
}

function one(line: Line): Line[] {
  return line.length === 0 ? [] : [line];
}

function contactLine({ trouble, heardMs, run }: WatchModel, nowMs: number): Line {
  const silentMs = nowMs - heardMs;
  if (silentMs < (trouble === null ? STALE_MS : LOST_MS) && run !== null) return [];
  const isOver = run !== null && ['finished', 'stopped', 'failed'].includes(run.phase);
  if (isOver)
    return [span('the run has ended and its coordinator is gone; this is what it said last', 'dim')];
  if (run === null && silentMs < LOST_MS) return [span('connecting', 'dim')];
  const why = trouble === null ? '' : ` (${trouble})`;
  return [span(`no contact for ${formatDuration(silentMs)}, trying again${why}`, 'bad')];
}

function progressLine(run: RunData, columns: number, style: TerminalStyle): Line {
  const { step, steps, remainingMs, tokens } = run;
  const counted = steps === null ? `step ${step}` : `step ${step}/${steps}`;
  const used = `${counted}  ${formatCount(tokens)} tokens`;
  if (steps === null || steps === 0) return [span(used)];
  const progress = {
    share: Math.min(1, step / steps),
    remainingMs: step >= steps ? null : remainingMs,
    note: '',
  };
  const bar = drawBar(progress, Math.max(1, columns - used.length - 2), { ...style, paint: NO_COLOURS });
  const done = bar.lastIndexOf(style.glyphs.barDone) + 1;
  const end = Math.max(done, bar.lastIndexOf(style.glyphs.barLeft) + 1);
  return [
    span(`${used}  `),
    span(bar.slice(0, done), 'bar'),
    span(bar.slice(done, end), 'dim'),
    span(bar.slice(end)),
  ];
}

function numbersLine({ latest, valLoss }: RunData): Line {
  if (latest === null) return [span('no step is committed yet', 'dim')];
  const number = (name: string): number | null => {
    const value = latest[name];
    return typeof value === 'number' ? value : null;
  };
  const loss = number('loss');
  const norm = number('gradNorm');
  const [lr, speed, mfu] = [number('lr'), number('tokensPerSecond'), number('mfu')];
  const [attempts, lostMs, bits] = [number('attempts'), number('lostMs'), number('bitsPerParameter')];
  const isCria = speed !== null;
  return [
    span('loss '),
    loss === null ? span('not finite', 'bad') : span(formatLoss(loss), 'bold'),
    ...(valLoss === null ? [] : [span('  val '), span(formatLoss(valLoss), 'good' as Ink)]),
    ...(isCria ? [span('  norm '), norm === null ? span('not finite', 'bad') : span(formatNorm(norm))] : []),
    ...(speed === null ? [] : [span(`  ${formatCount(speed)} tok/s`)]),
    ...(lr === null ? [] : [span(`  lr ${formatRate(lr)}`, 'dim' as Ink)]),
    ...(mfu === null ? [] : [span(`  mfu ${(mfu * 100).toFixed(1)}%`)]),
    ...(bits === null ? [] : [span(`  ${bits.toFixed(1)} bits/parameter`, 'dim' as Ink)]),
    ...(attempts !== null && attempts > 1 ? [span(`  ${attempts} attempts`, 'warn' as Ink)] : []),
    ...(lostMs !== null && lostMs > 0 ? [span(`  lost ${Math.round(lostMs)} ms`, 'warn' as Ink)] : []),
  ];
}

function bodyLines(model: WatchModel, size: Size, style: TerminalStyle): Line[] {
  const { columns, rows } = size;
  const alerts = alertLines(model.alerts, style);
  const members = model.run?.members ?? [];
  const wantedMembers = members.length === 0 ? 0 : members.length + 1;
  // The curve first; then the workers, of whom the worst come first; events take what is left.
  const chartRows = Math.max(rows < 12 ? rows - alerts.length : 6, Math.floor(rows * 0.45));
  const left = rows - Math.min(chartRows, rows) - alerts.length;
  const memberRows = Math.min(wantedMembers, Math.max(0, left - Math.min(4, Math.floor(left / 3))));
  const eventRows = Math.max(0, left - memberRows);
  return [
    ...chartLines(model, { columns, rows: Math.min(chartRows, rows - alerts.length) }, style),
    ...alerts,
    ...memberLines(members, { columns, rows: memberRows }, style),
    ...eventLines(model.events, eventRows, style),
  ];
}

function chartLines(model: WatchModel, { columns, rows }: Size, style: TerminalStyle): Line[] {
  const { curves, settings } = model;
  if (rows < 1) return [];
  const smoothing = settings.smoothSteps > 1 ? `, mean of ${settings.smoothSteps} steps` : '';
  const what = `loss by ${settings.axis}${settings.logY ? ', log' : ''}${smoothing}`;
  if (curves === null || curves.loss.buckets.length === 0) {
    return [[span(what, 'dim')], ...Array.from({ length: rows - 1 }, () => [])];
  }
  const zoomed = settings.zoom === 0 ? '' : `  1/${2 ** settings.zoom}${settings.end < 1 ? '' : ', newest'}`;
  const speedCells = columns - what.length - zoomed.length - 14;
  const speed = sparkline(curves.tokensPerSecond.buckets, Math.min(40, speedCells), style.unicode);
  const title = spread(
    [span(what, 'dim'), span(zoomed, 'warn')],
    speed === '' ? [] : [span(`tok/s ${speed}`, 'dim')],
    columns,
  );
  const { from, to } = shownWindow(model);
  const chart = drawChart({
    ...{ loss: curves.loss, valLoss: curves.valLoss, axis: settings.axis, logY: settings.logY },
    ...{ smoothed: settings.smoothSteps > 1, from, to, events: model.events, style },
    alertSteps: model.alerts.filter(isOpen).map(({ step }) => step),
    ...{ width: columns, height: rows - 1 },
  });
  return [title, ...chart];
}

/** The curves were fetched for this part; a bucket on either side lies outside. */
function shownWindow({ curves, settings }: WatchModel): { from: number; to: number } {
  const buckets = curves?.loss.buckets ?? [];
  const [first, last] = [buckets[0]?.x ?? 0, buckets.at(-1)?.x ?? 1];
  const known = curves?.window ?? null;
  return known ?? shownPart({ ...settings, zoom: 0, end: 1 }, first, last);
}

function alertLines(alerts: readonly AlertData[], style: TerminalStyle): Line[] {
  const firing = alerts.filter(isOpen);
  const shown = firing.slice(0, MAX_ALERT_ROWS).map((alert) => {
    const ink: Ink = alert.severity === 'error' ? 'bad' : 'warn';
    const text = printableIn(style)(alert.text);
    return [span(`${style.glyphs.attention} ${text}`, ink), span(`  step ${alert.step}`, 'dim')];
  });
  const more = firing.length - shown.length;
  return more > 0 ? [...shown, [span(`  and ${more} more alerts`, 'warn')]] : shown;
}

/** The silent, then the slow, then the others as they are. */
function memberLines(members: readonly MemberData[], { columns, rows }: Size, style: TerminalStyle): Line[] {
  if (rows < 2)
    return rows === 1 && members.length > 0 ? [[span(counted(members.length, 'worker'), 'dim')]] : [];
  const weight = (member: MemberData): number =>
    member.lastContactMs >= SILENT_MS ? 2 : isStraggler(member) ? 1 : 0;
  const sorted = [...members].sort((a, b) => weight(b) - weight(a));
  const hidden = Math.max(0, sorted.length - (rows - 1));
  const shown = sorted.slice(0, hidden > 0 ? rows - 2 : rows - 1);
  const table = formatTable(memberColumns(printableIn(style), members), shown, {
    width: columns,
    ellipsis: style.glyphs.ellipsis,
  });
  const lines = table.map((text, index): Line => {
    const member = shown[index - 1];
    if (member === undefined) return [span(text, 'dim')];
    const ink: Ink = contactOf(member).startsWith('no contact')
      ? 'bad'
      : isStraggler(member)
        ? 'warn'
        : 'plain';
    return [span(text, ink)];
  });
  if (hidden === 0) return lines;
  const rest = sorted.slice(shown.length);
  const silent = rest.filter(({ lastContactMs }) => lastContactMs >= SILENT_MS).length;
  const more = `and ${rest.length} more${silent === 0 ? '' : `, ${silent} of them without contact`}`;
  return [...lines, [span(more, silent === 0 ? 'dim' : 'bad')]].slice(0, rows) as Line[];
}

function eventLines(events: readonly EventData[], rows: number, style: TerminalStyle): Line[] {
  if (rows < 1) return [];
  return events.slice(-rows).map((event) => {
    const gravity = gravityOf(event.kind as RunEventKind);
    const text = printableIn(style)(event.text);
    return [
      span(`${timeOfDay(event.wallMs)} `, 'dim'),
      span(`${signOf(gravity, style)} ${text}`, inkOf(gravity)),
    ];
  });
}

function inkOf(gravity: Gravity): Ink {
  return gravity === 'plain' ? 'plain' : gravity;
}

function phaseInk(phase: string): Ink {
  if (phase === 'running' || phase === 'finished') return 'good';
  return phase === 'failed' ? 'bad' : 'warn';
}

function asking(question: Question, style: TerminalStyle): string {
  if (typeof question === 'string') return `${question} the run?`;
  return `acknowledge "${printableIn(style)(question.acknowledge.text)}"?`;
}

function footLine({ question, notice, help }: WatchModel, columns: number, style: TerminalStyle): Line {
  if (question !== null) return [span(`${asking(question, style)} y or n `, 'warn')];
  if (notice !== '') return [span(notice, 'warn')];
  if (help) return [span('? back  q quit', 'dim')];
  const keys = 'q quit  ? help  p pause  l log  s smooth  x axis  arrows zoom and move';
  return [span(columns < keys.length ? 'q quit  ? help' : keys, 'dim')];
}

const HELP: ReadonlyArray<readonly [string, string]> = [
  ['q, Ctrl-C', 'quit (the run goes on)'],
  ['p', 'pause the run, or let it go on; asks first'],
  ['a', 'acknowledge the newest alert; asks first'],
  ['l', 'loss on a logarithmic axis'],
  ['s', 'smoothing: mean of 16, of 128 steps, off'],
  ['x', 'by step, tokens, time of day, time spent training'],
  ['up, +', 'zoom in on the newest steps'],
  ['down, -', 'zoom out'],
  ['left, right', 'move what is shown; End follows the newest again'],
  ['0', 'everything'],
  ['Ctrl-L', 'draw everything anew'],
];

function helpLines(style: TerminalStyle): Line[] {
  const keys = HELP.map(([key, does]): Line => [span(`  ${key.padEnd(14)}`, 'bold'), span(does)]);
  const marks = MARKS_LEGEND.map(([sign, ascii, means]): Line => [
    span(`  ${style.unicode ? sign : ascii} `, 'bold'),
    span(means),
  ]);
  return [[], ...keys, [], [span('Below the curve', 'dim')], ...marks];
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
