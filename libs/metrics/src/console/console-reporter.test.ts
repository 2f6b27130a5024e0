import { describe, expect, it } from 'vitest';
import { rowAt } from '../row-fixture.js';
import { ConsoleReporter } from './console-reporter.js';
import { formatEvent } from './event-line.js';
import { formatBytes, formatCount, formatDuration, formatNorm, formatShortTime } from './numbers.js';
import { StepLines } from './step-line.js';
import { terminalStyle } from './terminal-style.js';
import { cellsOf, cutTo, fitLeft, fitRight } from './text-cells.js';

const UTF8 = { LANG: 'en_GB.UTF-8' };

class Screen {
  text = '';
  readonly isTTY: boolean;
  columns: number;
  #onResize: () => void = () => undefined;
  constructor(isTTY: boolean, columns = 100) {
    this.isTTY = isTTY;
    this.columns = columns;
  }
  write(text: string): void {
    this.text += text;
  }
  on(_event: 'resize', listener: () => void): void {
    this.#onResize = listener;
  }
  off(): void {
    this.#onResize = () => undefined;
  }
  resize(columns: number): void {
    this.columns = columns;
    this.#onResize();
  }
  /** What stands in the last line after all overwriting. */
  bottom(): string {
    const line = this.text.split('\n').at(-1)?.split('\r').at(-1) ?? '';
    return line.replace(/\u001b\[[0-9;]*[mKJ]/g, '');
  }
}

describe('a step in the terminal', () => {
  it('is one line with what a person looks for', () => {
    const row = rowAt(11, { loss: 9.81234, valLoss: 9.9, attempts: 2, lostMs: 812.4, mfu: 0.314 });
    expect(new StepLines(200).format(row)).toEqual([
      'step  12/200  loss  9.8123  norm  1.25  lr 1.00e-3  20.0k tok/s  mfu 31.4%  2 workers  2 attempts  lost 812 ms  val 9.9000',
    ]);
  });

  it('has every number where it stood in the line before', () => {
    const lines = new StepLines(100_000);
    const rows = [
      rowAt(0, { loss: 10.8211, gradNorm: 14.2, tokensPerSecond: 812 }),
      rowAt(9, {
        loss: 9.1,
        gradNorm: 0.3,
        tokensPerSecond: 18_234,
        workers: 1,
        attempts: 2,
        lostMs: 12_345,
      }),
      rowAt(99_998, { loss: null, gradNorm: 1e7, tokensPerSecond: 1.2e6, lr: 0 }),
    ].map((row) => lines.format(row)[0] ?? '');
    for (const word of ['loss', 'norm', 'lr', 'tok/s', 'worker', 'attempt', 'lost']) {
      const places = rows.map((line) => line.indexOf(word));
      if (word !== 'tok/s') expect(new Set(places.slice(0, 2)).size, word).toBe(1);
      expect(places.every((place) => place > 0)).toBe(true);
    }
  });

  it.each([20, 40, 80, 99, 120])('fits into %i cells, the loss and the step first', (width) => {
    const lines = new StepLines(499_679);
    const row = rowAt(123_455, { mfu: 0.31, valLoss: 3.2, attempts: 3, lostMs: 900, verdict: 'skip' });
    const [line = '', more = '', ...rest] = lines.format(row, width);
    expect(rest).toEqual([]);
    expect(cellsOf(line)).toBeLessThanOrEqual(width);
    expect(line).toContain('123456');
    expect(line).toContain('-1.2');
    if (width >= 80) expect(cellsOf(more)).toBeLessThanOrEqual(width);
  });

  it('puts what does not fit below: nothing that happened is left out', () => {
    const row = rowAt(7, { valLoss: 9.5, attempts: 2, lostMs: 640, verdict: 'skip' });
    expect(new StepLines(200).format(row, 80)).toEqual([
      'step   8/200  loss  9.9300  norm  1.25  lr 1.00e-3  20.0k tok/s  2 workers',
      '              val 9.5000  skipped  2 attempts  lost 640 ms',
    ]);
  });

  it('says so when a number is not finite or the step was skipped', () => {
    const row = rowAt(0, { loss: null, gradNorm: null, verdict: 'skip', workers: 1 });
    const [line = ''] = new StepLines(9).format(row);
    expect(line).toContain('loss       -  norm     -');
    expect(line).toContain('loss and norm not finite  skipped');
  });
});

describe('the bar below', () => {
  it('has the time left', () => {
    const screen = new Screen(true);
    const reporter = new ConsoleReporter({ stream: screen, steps: 100, env: UTF8 });
    for (let step = 0; step < 25; step++) reporter.step(rowAt(step, { activeMs: step * 60_000 }));
    expect(screen.bottom()).toMatch(/^━{10}─{30} {2}25\.0% {2}1 h 15 min left$/);
    reporter.end();
    expect(screen.bottom()).toBe('');
  });

  it('stays within a narrow terminal', () => {
    for (const columns of [12, 24, 40]) {
      const screen = new Screen(true, columns);
      const reporter = new ConsoleReporter({ stream: screen, steps: 100, env: UTF8 });
      reporter.step(rowAt(0));
      reporter.note('waits for workers');
      expect(cellsOf(screen.bottom())).toBeLessThan(columns);
    }
  });

  it('is drawn anew in the size that the terminal has got', () => {
    const screen = new Screen(true, 100);
    const reporter = new ConsoleReporter({ stream: screen, steps: 100, env: UTF8 });
    reporter.step(rowAt(49));
    expect(cellsOf(screen.bottom())).toBeGreaterThan(45);
    screen.text = '';
    screen.resize(30);
    // The old bar fills two rows of the new width: up by one, then everything below goes.
    expect(screen.text).toMatch(/^\u001b\[A\r\u001b\[J/);
    expect(cellsOf(screen.bottom())).toBeLessThan(30);
    reporter.end();
    screen.text = '';
    screen.resize(90);
    expect(screen.text).toBe('');
  });

  it('is of ASCII where the locale has nothing else', () => {
    const screen = new Screen(true);
    const reporter = new ConsoleReporter({ stream: screen, steps: 2, env: { LC_ALL: 'C', LANG: 'C.UTF-8' } });
    reporter.step(rowAt(0));
    reporter.event({ seq: 1, wallMs: 0, kind: 'worker-lost', step: 1, text: 'w→1 is gone' });
    expect(screen.text).toContain('! w?1 is gone');
    expect(screen.text).not.toMatch(/[^\u0000-\u007f]/);
    expect(screen.bottom()).toContain('==========');
  });
});

describe('other streams than terminals', () => {
  it('get plain lines without control characters', () => {
    const screen = new Screen(false);
    const reporter = new ConsoleReporter({ stream: screen, steps: 2, env: UTF8 });
    reporter.step(rowAt(0));
    reporter.event({ seq: 1, wallMs: 0, kind: 'worker-lost', step: 1, text: 'w\u001b[2Jgone\n' });
    reporter.note('hidden');
    reporter.end();
    expect(screen.text.split('\n')).toHaveLength(3);
    expect(screen.text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  it('TERM=dumb counts as one', () => {
    const screen = new Screen(true);
    const reporter = new ConsoleReporter({ stream: screen, steps: 2, env: { TERM: 'dumb' } });
    reporter.step(rowAt(0));
    reporter.end();
    expect(screen.text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  it('NO_COLOR takes the colours and leaves the bar', () => {
    const coloured = new Screen(true);
    const plain = new Screen(true);
    new ConsoleReporter({ stream: coloured, steps: 2, env: UTF8 }).step(rowAt(0));
    new ConsoleReporter({ stream: plain, steps: 2, env: { ...UTF8, NO_COLOR: '1' } }).step(rowAt(0));
    expect(coloured.text).toContain('\u001b[1m');
    expect(plain.text).not.toMatch(/\u001b\[[\d;]+m/);
    expect(plain.bottom()).toContain('━');
  });
});

describe('an event in the terminal', () => {
  const style = terminalStyle({ write: () => undefined }, UTF8);
  const text = (kind: 'worker-lost' | 'worker-joined', said: string): string =>
    formatEvent({ seq: 1, wallMs: 0, kind, step: 1, text: said }, style);

  it('is a sentence with a sign for what needs attention', () => {
    expect(text('worker-lost', 'w-1 is gone')).toBe('▲ w-1 is gone');
    expect(text('worker-joined', 'w-2 joins')).toBe('· w-2 joins');
  });

  it('cannot move the cursor, whatever names say', () => {
    const evil = text('worker-lost', 'a\u001b[2J\u009b31m\u202eb\ud800\u2028c\u0007');
    expect(evil).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
  });
});

describe('cells', () => {
  it('are counted as terminals do', () => {
    expect([cellsOf('abc'), cellsOf('日本'), cellsOf('e\u0301'), cellsOf('🦙'), cellsOf('⣿━')]).toEqual([
      3, 4, 1, 2, 2,
    ]);
  });

  it('are never exceeded by a cut, and filled by a fit', () => {
    expect(cutTo('日本語', 5, '…')).toBe('日本…');
    expect(cutTo('日本語', 4, '…')).toBe('日…');
    expect(cutTo('abc', 0, '…')).toBe('');
    expect([fitLeft('日本語', 4, '…'), fitRight('ab', 4, '…')]).toEqual(['日… ', '  ab']);
  });
});

describe('numbers for people', () => {
  it('are short', () => {
    expect([0, 7, 999, 1000, 18_234, 999_600, 98_240_888_832].map(formatCount)).toEqual([
      '0',
      '7',
      '999',
      '1.0k',
      '18.2k',
      '1.0M',
      '98.2B',
    ]);
    expect([0, 1023, 432_013_312, 2 ** 40 - 1].map(formatBytes)).toEqual(['0B', '1023B', '412MiB', '1.0TiB']);
    expect([400, 59_000, 61_000, 3_725_000, 200 * 3_600_000].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 01 s',
      '1 h 02 min',
      '8 d 08 h',
    ]);
    expect([0, 812.4, 12_345, 3_725_000].map(formatShortTime)).toEqual([
      '0 ms',
      '812 ms',
      '12.3 s',
      '62 min',
    ]);
    expect([0.314, 9999.4, 731_000].map(formatNorm)).toEqual(['0.31', '9999.40', '7.31e+5']);
  });
});
