import { describe, expect, it } from 'vitest';
import { ConsoleReporter } from './console-reporter.js';
import { rowAt } from './row-fixture.js';
import { formatCount, formatDuration, formatStepLine } from './step-line.js';

class Screen {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;
  constructor(isTTY: boolean, columns = 100) {
    this.isTTY = isTTY;
    this.columns = columns;
  }
  write(text: string): void {
    this.text += text;
  }
  /** What stands in the last line after all overwriting. */
  bottom(): string {
    const line = this.text.split('\n').at(-1)?.split('\r').at(-1) ?? '';
    return line.replace(/\u001b\[[0-9;]*[mK]/g, '');
  }
}

describe('a step in the terminal', () => {
  it('is one line with what a person looks for', () => {
    const row = rowAt(11, { loss: 9.81234, valLoss: 9.9, attempts: 2, lostMs: 812.4, mfu: 0.314 });
    expect(formatStepLine(row, 200)).toBe(
      'step  12/200  loss 9.8123  val 9.9000  norm 1.25  lr 1.00e-3  20.0k tok/s  mfu 31.4%  2 workers  2 attempts  lost 812 ms',
    );
  });

  it('says so when a number is not finite or the step was skipped', () => {
    const line = formatStepLine(rowAt(0, { loss: null, gradNorm: null, verdict: 'skip', workers: 1 }), 9);
    expect(line).toContain('loss not finite  norm not finite');
    expect(line).toContain('1 worker  skipped');
  });

  it('has a bar with the time left below the lines on a terminal', () => {
    const screen = new Screen(true);
    const reporter = new ConsoleReporter({ stream: screen, steps: 100, env: {} });
    for (let step = 0; step < 25; step++) reporter.step(rowAt(step, { activeMs: step * 60_000 }));
    expect(screen.bottom()).toMatch(/^━{10}─{30} 25\.0% 1 h 15 min left$/);
    reporter.end();
    expect(screen.bottom()).toBe('');
  });

  it('keeps the bar within a narrow terminal', () => {
    for (const columns of [12, 24, 40]) {
      const screen = new Screen(true, columns);
      const reporter = new ConsoleReporter({ stream: screen, steps: 100, env: {} });
      reporter.step(rowAt(0));
      reporter.note('dashboard http://127.0.0.1:8080');
      expect(screen.bottom().length).toBeLessThan(columns);
    }
  });

  it('writes plain lines without control characters where there is no terminal', () => {
    const screen = new Screen(false);
    const reporter = new ConsoleReporter({ stream: screen, steps: 2, env: {} });
    reporter.step(rowAt(0));
    reporter.event({ seq: 1, wallMs: 0, kind: 'worker-lost', step: 1, text: 'w\u001b[2Jgone\n' });
    reporter.note('hidden');
    reporter.end();
    expect(screen.text.split('\n')).toHaveLength(3);
    expect(screen.text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  it('respects NO_COLOR but still draws the bar', () => {
    const coloured = new Screen(true);
    const plain = new Screen(true);
    new ConsoleReporter({ stream: coloured, steps: 2, env: {} }).step(rowAt(0));
    new ConsoleReporter({ stream: plain, steps: 2, env: { NO_COLOR: '1' } }).step(rowAt(0));
    expect(coloured.text).toContain('\u001b[1m');
    expect(plain.text).not.toMatch(/\u001b\[\d+m/);
    expect(plain.bottom()).toContain('━');
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
      '98.2G',
    ]);
    expect([400, 59_000, 61_000, 3_725_000, 200 * 3_600_000].map(formatDuration)).toEqual([
      '0 s',
      '59 s',
      '1 min 01 s',
      '1 h 02 min',
      '8 d 08 h',
    ]);
  });
});
