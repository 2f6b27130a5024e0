import { terminalStyle, type TerminalStyle } from '@cria/metrics';
import { describe, expect, it } from 'vitest';
import { describeRun } from '../run/describe-run.js';
import { Canvas } from './canvas.js';
import { drawChart, type ChartInput } from './chart.js';
import { cellsOfLine, cutLine, render, span, type Line } from './ink.js';
import { layout } from './layout.js';
import { initialModel, take, type WatchModel } from './model.js';
import { readAlert, readRun, readSeries, type BucketData } from './run-data.js';
import { sparkline } from './sparkline.js';

const UNICODE = terminalStyle({ write: () => undefined }, { LANG: 'C.UTF-8' });
const ASCII = terminalStyle({ write: () => undefined }, { LC_ALL: 'C' });
const HOSTILE = 'a\u001b[2J\u001b]0;title\u0007<script>\u202e\r\nb';

const textOf = (line: Line): string => line.map(({ text }) => text).join('');

function bucket(step: number, last: number | null, smooth: number | null = last): BucketData {
  return { step, x: step, min: last, max: last, last, notFinite: last === null ? 1 : 0, smooth };
}

const falling = readSeries({
  buckets: Array.from({ length: 100 }, (_, step) => bucket(step, 10 - step / 20)),
  endStep: 100,
});
const nothing = readSeries({});

function chart(changed: Partial<ChartInput> = {}): string[] {
  const input: ChartInput = {
    ...{ loss: falling, valLoss: null, axis: 'step', logY: false, smoothed: false, from: 0, to: 99 },
    ...{ events: [], alertSteps: [], width: 40, height: 8, style: UNICODE, ...changed },
  };
  return drawChart(input).map((line) => textOf(line).trimEnd());
}

function member(id: string, lastContactMs = 100): Record<string, unknown> {
  return {
    ...{ id, role: 'member', host: HOSTILE, device: 'cpu', pid: 1, slots: [0, 1], tokensPerSecond: 100 },
    ...{ waitMs: 3, bytesReceived: 1e9, bytesSent: 1e9, memoryBytes: 4e8, lastContactMs },
  };
}

function modelWith(workers: number): WatchModel {
  const latest = {
    step: 98,
    segment: 0,
    wallMs: 0,
    loss: 5.05,
    gradNorm: null,
    lr: 1e-3,
    tokensPerSecond: 5,
  };
  const members = Array.from({ length: workers }, (_, index) =>
    member(index % 50 === 7 ? `silent-${index}` : `w-${index}`, index % 50 === 7 ? 12_000 : 100),
  );
  const run = readRun({
    ...{
      id: 'r',
      run: HOSTILE,
      phase: 'waiting',
      reason: HOSTILE,
      step: 99,
      steps: 200,
      term: 3,
      leader: HOSTILE,
    },
    ...{ members, seats: { target: workers + 1, waiting: 1 }, latest, valLoss: 5.5, remainingMs: 61_000 },
  });
  const events = Array.from({ length: 30 }, (_, seq) => ({
    ...{ seq, wallMs: seq, kind: 'worker-lost', step: seq, text: `${seq} ${HOSTILE}` },
  }));
  const alerts = [
    { id: 'a', rule: 'r', severity: 'error', state: 'firing', step: 3, text: HOSTILE, startedWallMs: 1 },
    { id: 'b', rule: 'r', severity: 'warn', state: 'resolved', step: 3, text: 'over', startedWallMs: 1 },
  ].map((alert) => ({ ...alert, acknowledgedWallMs: null }));
  const curves = { loss: falling, valLoss: nothing, tokensPerSecond: falling, window: null };
  return { ...initialModel({ canControl: true, nowMs: 0 }), run, curves, events, alerts, trouble: null };
}

const shown = (model: WatchModel, columns: number, rows: number, style: TerminalStyle, nowMs = 0): string[] =>
  layout(model, { columns, rows }, style, nowMs).map((line) => render(line, columns, style, false));

describe('the canvas', () => {
  it('has two by four dots a cell, numbered as Unicode does', () => {
    const canvas = new Canvas({ width: 2, height: 1, unicode: true });
    const layer = { ink: 'plain', ascii: '*' } as const;
    canvas.dot(0, 0, layer);
    canvas.dot(0, 3, layer);
    canvas.dot(3, 3, layer);
    canvas.dot(4, 0, layer);
    canvas.dot(0, -1, layer);
    expect(canvas.rows().map(textOf)).toEqual(['⡁⢀']);
  });

  it('draws lines without gaps', () => {
    const canvas = new Canvas({ width: 4, height: 4, unicode: false });
    canvas.line({ x: 0, y: 3 }, { x: 3, y: 0 }, { ink: 'plain', ascii: '*' });
    expect(canvas.rows().map(textOf)).toEqual(['   *', '  * ', ' *  ', '*   ']);
  });
});

describe('the chart', () => {
  it('shows a falling loss as such, with its range and axis', () => {
    expect(chart()).toEqual([
      ' 10.000 ⠉⠒⠦⢄⣀⡀',
      '             ⠉⠑⠲⠤⣀⡀',
      '                  ⠈⠉⠒⠤⢤⣀',
      '                        ⠉⠓⠒⠤⣀⡀',
      '                             ⠈⠉⠒⠦⢄⣀',
      '  5.050                           ⠈⠉⠑⠲⠤⣀',
      '',
      '        0              50             99',
    ]);
  });

  it('is of ASCII without UTF-8', () => {
    const rows = chart({ style: ASCII, smoothed: true, events: [event('worker-lost', 50)] });
    expect(rows.join('')).toMatch(/\*.*v/s);
    expect(rows.join('')).toMatch(/^[ -~]*$/);
  });

  it('has a gap and a mark where the loss was not finite', () => {
    const loss = readSeries({
      buckets: falling.buckets.map((one) => (one.step >= 40 && one.step < 60 ? bucket(one.step, null) : one)),
    });
    const rows = chart({ loss });
    const middle = rows.slice(0, 6).map((row) => row.slice(8 + 14, 8 + 18));
    expect(middle.join('').trim()).toBe('');
    expect(rows[6]).toContain('✗');
  });

  it('is not flattened by one spike, which still shows at the edge', () => {
    const loss = readSeries({
      buckets: falling.buckets.map((one) => (one.step === 70 ? bucket(70, 1e6) : one)),
    });
    const rows = chart({ loss });
    expect(rows[0]).toMatch(/^ +12\.\d+ /);
    expect(rows[0]?.slice(8 + 18).trim()).not.toBe('');
  });

  it('puts what happened below the steps where it did', () => {
    const rows = chart({
      events: [event('checkpoint-written', 0), event('worker-lost', 99)],
      alertSteps: [50],
    });
    expect(rows[6]?.slice(8)).toMatch(/^◆ +! +▼$/);
  });

  it('leaves out what a logarithm does not have', () => {
    const loss = readSeries({ buckets: [bucket(0, 0), bucket(1, 10), bucket(2, 1000)] });
    const rows = chart({ loss, logY: true, from: 0, to: 2 });
    expect([rows[0]?.slice(0, 7), rows[5]?.slice(0, 7)]).toEqual([' 1000.0', ' 10.000']);
  });

  it('survives having nothing to show', () => {
    for (const loss of [
      nothing,
      readSeries({ buckets: [bucket(3, 2)] }),
      readSeries({ buckets: [bucket(0, null)] }),
    ])
      expect(chart({ loss, from: 0, to: 0 })).toHaveLength(8);
  });
});

function event(kind: string, step: number): ChartInput['events'][number] {
  return { seq: 1, wallMs: 0, kind, step, text: '' };
}

describe('the view', () => {
  it.each([
    [0, UNICODE],
    [2, UNICODE],
    [200, UNICODE],
    [200, ASCII],
  ])('fits any terminal, with %i workers', (workers, style) => {
    const model = modelWith(workers);
    for (const help of [false, true]) {
      for (let columns = 1; columns <= 200; columns += 7) {
        for (const rows of [1, 2, 5, 8, 13, 24, 50]) {
          const lines = shown({ ...model, help }, columns, rows, style, 9000);
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) {
            expect(cellsOfLine([span(line)])).toBeLessThanOrEqual(columns);
            expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
            if (style === ASCII) expect(line).toMatch(/^[ -~]*$/);
          }
        }
      }
    }
  });

  it('has the silent workers first, and counts those that it does not show', () => {
    const lines = shown(modelWith(200), 100, 30, UNICODE);
    const first = lines.findIndex((line) => line.startsWith('worker '));
    expect(
      lines.slice(first + 1, first + 5).every((line) => /^silent-\d+ .*no contact for 12 s$/.test(line)),
    ).toBe(true);
    expect(lines.join('\n')).toMatch(/^and \d+ more$/m);
  });

  it('says for how long nothing was heard, and what it was', () => {
    const model = { ...modelWith(2), trouble: 'connect ECONNREFUSED' };
    expect(shown(model, 80, 24, UNICODE, 12_000).join('\n')).toContain(
      'no contact for 12 s, trying again (connect ECONNREFUSED)',
    );
  });

  it('shows alerts that fire, and none that are over', () => {
    const lines = shown(modelWith(2), 80, 30, UNICODE).join('\n');
    expect(lines).toContain('▲ a [2J');
    expect(lines).not.toContain('over');
  });

  it('is said in plain text where nothing can be drawn', () => {
    const run = modelWith(2);
    const text = describeRun(
      { ...(run.run ?? readRun({})), events: run.events.slice(-1), alerts: run.alerts.slice(0, 1) },
      { width: Infinity, style: ASCII },
    );
    expect(text.replaceAll('\n', '')).toMatch(/^[ -~]*$/);
    expect(text).toContain('step 99 of 200 (49.5%)');
    expect(text).toContain('seats: 3 wanted, 1 open');
  });
});

describe('keys', () => {
  const model = modelWith(1);
  const press = (...names: string[]): WatchModel =>
    names.reduce((now, name) => take(0, now, { kind: 'key', name }).model, model);

  it('change what is shown', () => {
    expect(press('l').settings.logY).toBe(true);
    expect(press('s', 's').settings.smoothSteps).toBe(1);
    expect(press('x').settings.axis).toBe('tokens');
    expect(press('x', 'x', 'x', 'x').settings.axis).toBe('step');
    expect(press('up', 'up', 'left', 'left').settings).toMatchObject({ zoom: 2, end: 0.875 });
    expect(press('up', 'up', 'left', 'left', 'down', '0').settings).toMatchObject({ zoom: 0, end: 1 });
    expect(press('?').help).toBe(true);
    expect(press('?', 'escape').help).toBe(false);
  });

  it('never move the shown part out of the axis', () => {
    const lefts = press('up', ...Array.from({ length: 50 }, () => 'left'));
    expect(lefts.settings).toMatchObject({ zoom: 1, end: 0.5 });
    expect(press('down', 'right').settings).toMatchObject({ zoom: 0, end: 1 });
  });

  it('pause only after yes', () => {
    const asked = press('p');
    expect(asked.question).toBe('pause');
    expect(take(0, asked, { kind: 'key', name: 'n' })).toMatchObject({
      model: { question: null },
      effects: [],
    });
    expect(take(0, asked, { kind: 'key', name: 'q' }).effects).toEqual([]);
    expect(take(0, asked, { kind: 'key', name: 'y' }).effects).toEqual([{ kind: 'wish', wish: 'pause' }]);
    const paused = { ...model, run: { ...readRun({}), phase: 'paused' } };
    expect(take(0, paused, { kind: 'key', name: 'p' }).model.question).toBe('resume');
  });

  it('acknowledge the newest alert that is still open, only after yes', () => {
    const alert = readAlert({ id: 'a-1', state: 'firing', text: 'loss is high', startedWallMs: 5 });
    const known = readAlert({ id: 'a-2', state: 'firing', acknowledgedWallMs: 9, startedWallMs: 9 });
    const over = readAlert({ id: 'a-3', state: 'resolved', startedWallMs: 8 });
    const alarmed = take(0, model, { kind: 'alerts', alerts: [alert, known, over] }).model;
    const asked = take(0, alarmed, { kind: 'key', name: 'a' }).model;
    const shown = layout(asked, { columns: 80, rows: 24 }, UNICODE, 0).map(textOf);
    expect(shown.join('\n')).toContain('acknowledge "loss is high"? y or n');
    expect(take(0, asked, { kind: 'key', name: 'y' }).effects).toEqual([
      { kind: 'wish', wish: { acknowledge: alert } },
    ]);
    const quiet = take(0, { ...model, alerts: [known, over] }, { kind: 'key', name: 'a' }).model;
    expect(quiet).toMatchObject({ question: null, notice: 'there is no alert to acknowledge' });
    const stranger = { ...alarmed, canControl: false };
    expect(take(0, stranger, { kind: 'key', name: 'a' }).model.notice).toContain('CRIA_TOKEN');
  });

  it('say why they do nothing', () => {
    const stranger = { ...model, canControl: false };
    expect(take(0, stranger, { kind: 'key', name: 'p' }).model.notice).toContain('CRIA_TOKEN');
    const over = { ...model, run: { ...readRun({}), phase: 'finished' } };
    expect(take(0, over, { kind: 'key', name: 'p' }).model.notice).toContain('nothing to pause');
  });

  it('an event that is read and streamed is one event', () => {
    const again = take(0, model, { kind: 'events', events: model.events.slice(-3) }).model;
    expect(again.events).toEqual(model.events);
  });
});

describe('lines', () => {
  it('are cut by cells, between sequences', () => {
    const line = [span('日本語', 'bold'), span(' and more', 'dim')];
    expect(textOf(cutLine(line, 5, '…'))).toBe('日本…');
    expect(render(line, 8, UNICODE, true)).toBe('\u001b[1m日本語\u001b[0m\u001b[2m …\u001b[0m');
  });

  it('have a sparkline from 0 up', () => {
    const buckets = [0, 50, 100].map((value, step) => bucket(step, value));
    expect(sparkline(buckets, 10, true)).toBe('▁▅█');
    expect(sparkline([...buckets, bucket(3, null)], 2, false)).toBe('# ');
  });
});
