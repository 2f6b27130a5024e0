// What Prometheus and Grafana are given: the text that is scraped, and the dashboard that asks for it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatPrometheus } from '@cria/metrics';
import { describe, expect, it } from 'vitest';
import { SyntheticRun } from './fixture/synthetic-run.js';
import { prometheusFamilies } from './prometheus-families.js';

const DASHBOARD = fileURLToPath(new URL('../../../../docs/grafana/cria-run.json', import.meta.url));
const promtool = process.env['PROMTOOL'] ?? 'promtool';
const isThere = spawnSync(promtool, ['--version']).status === 0;
const lacks = isThere ? '' : ': needs promtool (Debian: apt-get install prometheus, or PROMTOOL=path)';
/** Labels that Prometheus itself puts on whatever it scrapes. */
const SCRAPE_LABELS = ['job', 'instance'];

function exposition(): string {
  const run = new SyntheticRun({ steps: 200, workers: 3, run: 'a "run"\\with\nall of it' });
  for (let step = 0; step < 60; step++) run.commit({ mfu: 0.3 });
  return formatPrometheus(prometheusFamilies(run, { memoryBytes: 1e8, cpuSeconds: 12 }));
}

/** Family name to the labels of its samples. */
function exportedLabels(text: string): Map<string, Set<string>> {
  const exported = new Map<string, Set<string>>();
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const known = exported.get(name) ?? new Set<string>();
    for (const [, label = ''] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) known.add(label);
    exported.set(name, known);
  }
  return exported;
}

describe('/metrics', () => {
  it('has HELP and TYPE before the samples of every family, once, and names by the conventions', () => {
    const blocks = exposition().split(/^(?=# HELP )/m);
    const names = blocks.map((block) => {
      const [help = '', type = '', ...samples] = block.trim().split('\n');
      const [, name = '', text = ''] = /^# HELP (\w+) (.+)$/.exec(help) ?? [];
      const [, kind = ''] = new RegExp(`^# TYPE ${name} (gauge|counter)$`).exec(type) ?? [];
      expect(text).toMatch(/^[A-Z].*\.$/);
      expect(name.endsWith('_total')).toBe(kind === 'counter');
      // Base units only: promtool refuses the others.
      expect(name).not.toMatch(/_(ms|milliseconds|minutes|hours|bits|kilobytes|megabytes|percent)(_|$)/);
      expect(samples.length).toBeGreaterThan(0);
      for (const sample of samples) expect(sample).toMatch(new RegExp(`^${name}(\\{.*\\})? (\\S+)$`));
      return name;
    });
    expect(new Set(names).size).toBe(names.length);
  });

  it.skipIf(!isThere)(`is accepted by promtool, without a complaint${lacks}`, () => {
    const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], {
      input: exposition(),
      encoding: 'utf8',
    });
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

describe('the Grafana dashboard', () => {
  const source = readFileSync(DASHBOARD, 'utf8');
  const exported = exportedLabels(exposition());

  interface Dashboard {
    readonly panels: ReadonlyArray<{
      readonly title: string;
      readonly gridPos: { x: number; y: number; w: number; h: number };
      readonly targets: ReadonlyArray<{ expr: string }>;
    }>;
    readonly templating: {
      readonly list: ReadonlyArray<{ readonly query: string | { readonly query: string } }>;
    };
    readonly annotations: { readonly list: ReadonlyArray<{ readonly expr: string }> };
  }
  const dashboard = JSON.parse(source) as Dashboard;
  const queries = [
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...dashboard.templating.list.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query])),
    ...dashboard.annotations.list.map(({ expr }) => expr),
  ];

  it('asks only for metrics and labels that /metrics has', () => {
    expect(queries.length).toBeGreaterThan(25);
    for (const query of queries) {
      const names = [...query.matchAll(/\b((?:cria|process)_\w+)/g)].map(([, name = '']) => name);
      expect(names.length, query).toBeGreaterThan(0);
      for (const name of names) expect([...exported.keys()], query).toContain(name);
      const labels = [...query.matchAll(/(\w+)="\$?\w+"/g), ...query.matchAll(/\bby \((\w+)\)/g)];
      const allowed = [...SCRAPE_LABELS, ...names.flatMap((name) => [...(exported.get(name) ?? [])])];
      for (const [, label = ''] of labels) expect(allowed, query).toContain(label);
    }
  });

  it('shows every figure that a run exports', () => {
    const shown = queries.join('\n');
    const unused = [...exported.keys()].filter((name) => !new RegExp(`\\b${name}\\b`).test(shown));
    expect(unused).toEqual([
      'cria_token_budget',
      'cria_parameters',
      'cria_coordinators',
      'cria_tokens',
      'cria_worker_slots',
    ]);
  });

  it.skipIf(!isThere)(`asks in PromQL that promtool reads${lacks}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'cria-promql-'));
    const rules = queries
      .filter((query) => !query.startsWith('label_values'))
      .map((query, index) => ({ record: `query_${index}`, expr: query.replaceAll(/\$(run|job)/g, 'x') }));
    // JSON is YAML.
    writeFileSync(join(folder, 'rules.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, stderr } = spawnSync(promtool, ['check', 'rules', join(folder, 'rules.yml')], {
      encoding: 'utf8',
    });
    rmSync(folder, { recursive: true });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('has panels with titles of their own, none over another', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ title }) => title).filter((title) => title !== '')).size).toBe(
      panels.length,
    );
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
  });
});
