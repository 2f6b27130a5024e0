// The Prometheus text format, version 0.0.4: a family is a name with its HELP and TYPE, stated once, and its samples.

export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  /** null leaves the sample out. */
  readonly value: number | null;
}

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The exposition of all families that have a sample. */
export function formatPrometheus(families: readonly MetricFamily[]): string {
  return families
    .map(formatFamily)
    .filter((text) => text !== '')
    .join('');
}

function formatFamily({ name, help, type, samples }: MetricFamily): string {
  const lines = samples.flatMap(({ labels, value }) =>
    value === null ? [] : [`${name}${formatLabels(labels ?? {})} ${formatValue(value)}`],
  );
  if (lines.length === 0) return '';
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
