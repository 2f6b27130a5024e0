// The index over a long run: node dist/store/index-bench.js [STEPS] [METRICS]. Writes a metrics.jsonl of a made-up run, then
// measures reading it, opening it again, and questions as pages ask them. One JSON object on stdout.
import { once } from 'node:events';
import { createWriteStream, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Rng, systemClock } from '@cria/runtime';
import { INDEX_FILE, MetricIndex } from './metric-index.js';
import { seriesOf } from './series.js';
import type { SeriesQuery } from './series.js';

const [steps = 500_000, metrics = 12] = process.argv.slice(2).map(Number);
const REPEATS = 20;
const directory = await mkdtemp(join(tmpdir(), 'cria-index-bench-'));
const clock = systemClock;

async function writeRun(): Promise<void> {
  const rng = new Rng(1);
  const out = createWriteStream(join(directory, 'metrics.jsonl'));
  for (let step = 0; step < steps; step++) {
    const fields = Array.from({ length: metrics }, (_, i) => `"metric${i}":${(i + rng.next()).toFixed(6)}`);
    const line = `{"step":${step},"segment":0,"wallMs":${1.79e12 + step * 250},${fields.join(',')}}\n`;
    if (!out.write(line)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}

function timed<T>(work: () => T): { ms: number; result: T } {
  const startMs = clock.monotonicMs();
  const result = work();
  return { ms: clock.monotonicMs() - startMs, result };
}

function slowest(index: MetricIndex, query: (i: number) => SeriesQuery): number {
  const times = Array.from({ length: REPEATS }, (_, i) => timed(() => seriesOf(index.history, query(i))).ms);
  return Math.max(...times);
}

const openIndex = (): Promise<MetricIndex> => MetricIndex.open({ directory, schema: 'open' });
const round = (ms: number): number => Math.round(ms * 10) / 10;
const rssMb = (): number => Math.round(process.memoryUsage.rss() / 1e6);

await writeRun();
const before = rssMb();
let startMs = clock.monotonicMs();
const made = await openIndex();
const importMs = clock.monotonicMs() - startMs;
const afterImport = rssMb();
await made.close();
startMs = clock.monotonicMs();
const index = await openIndex();
const openMs = clock.monotonicMs() - startMs;
const name = (i: number): string => `metric${i % metrics}`;
const first = timed(() => seriesOf(index.history, { metric: name(0), x: 'step', points: 1000 })).ms;
const whole = slowest(index, (i) => ({ metric: name(i), x: 'time', points: 1000 }));
const zoomed = slowest(index, (i) => ({
  ...{ metric: name(i), x: 'step', points: 1000 },
  ...{ from: (steps / REPEATS) * i, to: (steps / REPEATS) * i + steps / 100 },
}));
const smoothed = slowest(index, (i) => ({
  ...{ metric: name(i), x: 'time', points: 1000 },
  smoothing: { kind: i % 2 === 0 ? 'ema' : 'twema', weight: 0.99 },
}));
const sizes = { jsonlMb: size('metrics.jsonl'), indexMb: size(INDEX_FILE) };
const figures = {
  importMs,
  openMs,
  firstQueryMs: first,
  wholeMs: whole,
  zoomMs: zoomed,
  smoothedMs: smoothed,
};
const rounded = Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, round(value)]));
const memory = { rssBeforeMb: before, rssAfterImportMb: afterImport, rssAfterQueriesMb: rssMb() };
process.stdout.write(`${JSON.stringify({ steps, metrics, ...rounded, ...memory, ...sizes })}\n`);
await index.close();
await rm(directory, { recursive: true });

function size(file: string): number {
  return Math.round(statSync(join(directory, file)).size / 1e6);
}
