import { describe, expect, it } from 'vitest';
import { csvChunks } from './csv.js';
import { MetricHistory } from './store/metric-history.js';
import { estimateRemainingMs } from './pace.js';
import { formatPrometheus } from './prometheus.js';
import { rowAt } from './row-fixture.js';

describe('CSV', () => {
  it('has a header and one line a step, empty where a value is missing', () => {
    const history = new MetricHistory();
    for (let step = 0; step < 2500; step++) history.append(rowAt(step, step === 1 ? { loss: NaN } : {}));
    const lines = [...csvChunks(history)].join('').split('\r\n');
    expect(lines).toHaveLength(2502);
    const header = lines[0]?.split(',') ?? [];
    const loss = header.indexOf('loss');
    expect(header[0]).toBe('step');
    expect(lines[1]?.split(',')[loss]).toBe('10');
    expect(lines[2]?.split(',')[loss]).toBe('');
    expect(lines[2500]?.split(',')).toHaveLength(header.length);
  });
});

describe('Prometheus text', () => {
  it('states HELP and TYPE once and escapes what people name', () => {
    const text = formatPrometheus([
      {
        name: 'cria_loss',
        help: 'Loss\nof "all" \\ slots.',
        type: 'gauge',
        samples: [
          { labels: { run: 'a"b\\c\nd' }, value: 2.5 },
          { labels: { run: 'x' }, value: null },
          { value: Infinity },
        ],
      },
      { name: 'cria_none', help: 'Nothing.', type: 'counter', samples: [{ value: null }] },
    ]);
    expect(text).toBe(
      '# HELP cria_loss Loss\\nof "all" \\\\ slots.\n# TYPE cria_loss gauge\n' +
        'cria_loss{run="a\\"b\\\\c\\nd"} 2.5\ncria_loss +Inf\n',
    );
  });
});

describe('the time left', () => {
  it('follows the last 64 steps and leaves pauses out', () => {
    const history = new MetricHistory();
    for (let step = 0; step < 200; step++) {
      const pace = step < 100 ? step * 10_000 : 1_000_000 + (step - 100) * 100;
      history.append(rowAt(step, { activeMs: pace, wallMs: pace * 9 }));
    }
    expect(estimateRemainingMs(history, 300)).toBeCloseTo(100 * 100, 6);
    expect(estimateRemainingMs(history, 200)).toBe(0);
    expect(estimateRemainingMs(new MetricHistory(), 10)).toBeNull();
  });
});
