export {
  METRICS,
  METRIC_NAMES,
  VERDICTS,
  describeMetric,
  isMetricName,
  parseStepMetrics,
} from './step-metrics.js';
export type { MetricName, StepMetrics, Verdict } from './step-metrics.js';
export { RUN_EVENT_KINDS, parseRunEvent } from './run-event.js';
export type { RunEvent, RunEventKind } from './run-event.js';
export { JsonLinesFile } from './json-lines-file.js';
export type { AppendOptions } from './append-file.js';
export { TensorBoardFile } from './tensorboard/tensorboard-file.js';
export type { TensorBoardOptions } from './tensorboard/tensorboard-file.js';
export type { BadLine } from './json-lines-reader.js';
export {
  EVENTS_FILE,
  METRICS_FILE,
  openEventsFile,
  openMetricsFile,
  readEventsFile,
  readMetricsFile,
} from './run-files.js';
export type { EventsFile, MetricsFile } from './run-files.js';
export { INDEX_FILE, MetricIndex } from './store/metric-index.js';
export type { MetricIndexOptions } from './store/metric-index.js';
export { MetricHistory } from './store/metric-history.js';
export type { AbandonedTail, HistoryState, Schema, Segment } from './store/metric-history.js';
export { MAX_POINTS, SERIES_AXES, seriesOf } from './store/series.js';
export type { Series, SeriesAxis, SeriesBucket, SeriesQuery } from './store/series.js';
export type { Smoothing, SmoothingState } from './store/smoothing.js';
export { isLoggedMetricName, parseLoggedRow } from './logged-row.js';
export type { MetricRow } from './logged-row.js';
export { estimateRemainingMs } from './pace.js';
export { csvChunks } from './csv.js';
export { PROMETHEUS_CONTENT_TYPE, formatPrometheus } from './prometheus.js';
export type { MetricFamily, Sample } from './prometheus.js';
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatLoss,
  formatNorm,
  formatRate,
} from './console/numbers.js';
export { printable, printableAscii } from './console/printable.js';
export { cellsOf, cutTo, fitLeft, fitRight } from './console/text-cells.js';
export { NO_COLOURS, terminalStyle } from './console/terminal-style.js';
export type { ConsoleStream, Environment, Glyphs, Paint, TerminalStyle } from './console/terminal-style.js';
export { StepLines } from './console/step-line.js';
export { gravityOf, paintBy, printableIn, signOf } from './console/event-line.js';
export type { Gravity } from './console/event-line.js';
export { drawBar } from './console/progress-bar.js';
export { ConsoleReporter } from './console/console-reporter.js';
export type { ConsoleOptions } from './console/console-reporter.js';
export { init } from './log/init.js';
export type { InitOptions } from './log/init.js';
export { LoggedRun } from './log/logged-run.js';
export type { MetricValues } from './log/metric-values.js';
export { ALERT_RULES, ALERT_RULE_NAMES } from './alerts/alert.js';
export type { Alert, AlertRule, Severity } from './alerts/alert.js';
export { NO_ALERTS, alertsAfterLook, alertsAfterStep } from './alerts/alert-rules.js';
export type { AlertState, AlertTurn, Look } from './alerts/alert-rules.js';
export { DEFAULT_THRESHOLDS } from './alerts/thresholds.js';
export type { Thresholds } from './alerts/thresholds.js';
export { WEBHOOK_FORMATS, webhookBody, webhookFormat } from './alerts/webhook.js';
export type { WebhookFormat } from './alerts/webhook.js';
