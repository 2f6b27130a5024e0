// What a run says to Prometheus, in base units (seconds, bytes) as its conventions want.
import { METRICS } from '@cria/metrics';
import type { MetricFamily, MetricName, Sample } from '@cria/metrics';
import type { MemberView, RunStatus, RunView } from './run-view.js';

const PHASES = ['starting', 'running', 'paused', 'waiting', 'finished', 'stopped', 'failed'] as const;

/** Metrics of the last step: their names over there, and what one of ours is in their unit. */
const STEP_GAUGES: ReadonlyArray<readonly [MetricName, string, number]> = [
  ['loss', 'cria_loss', 1],
  ['valLoss', 'cria_validation_loss', 1],
  ['gradNorm', 'cria_gradient_norm', 1],
  ['lr', 'cria_learning_rate', 1],
  ['tokensPerSecond', 'cria_tokens_per_second', 1],
  ['stepMs', 'cria_step_seconds', 1e-3],
  ['computeMs', 'cria_step_compute_seconds', 1e-3],
  ['dataMs', 'cria_step_data_seconds', 1e-3],
  ['exchangeMs', 'cria_step_exchange_seconds', 1e-3],
  ['waitMs', 'cria_step_wait_seconds', 1e-3],
  ['commitMs', 'cria_step_commit_seconds', 1e-3],
  ['lostMs', 'cria_step_lost_seconds', 1e-3],
  ['attempts', 'cria_step_attempts', 1],
  ['workers', 'cria_step_workers', 1],
  ['bitsPerParameter', 'cria_gradient_bytes_per_parameter', 1 / 8],
  ['mfu', 'cria_mfu_ratio', 1],
];

/** Where the unit is another over there, or is not in the name. */
const HELP: Partial<Record<MetricName, string>> = {
  loss: 'Training loss of the last committed step, in nats per token; NaN when it was not finite.',
  valLoss: 'Newest finite loss on the validation split, in nats per token.',
  gradNorm: 'Global L2 norm of the gradient before clipping; NaN when it was not finite.',
  bitsPerParameter: 'Gradient bytes on the wire per parameter.',
};

/** @param process of this coordinator, passed in so that it is the same in every test */
export function prometheusFamilies(
  view: RunView | null,
  process: { memoryBytes: number; cpuSeconds: number },
): MetricFamily[] {
  const status = view?.live()?.status() ?? null;
  return [
    ...(view === null || status === null ? [] : liveFamilies(view, status)),
    ...processFamilies(process),
  ];
}

function liveFamilies(view: RunView, status: RunStatus): MetricFamily[] {
  const labels = { run: status.run };
  const one = (value: number | null): Sample[] => [{ labels, value }];
  return [
    ...runFamilies(status, one),
    gauge('cria_tokens', METRICS.tokens.help, one(view.metrics().last()?.tokens ?? 0)),
    ...STEP_GAUGES.map(([metric, name, factor]) =>
      gauge(name, HELP[metric] ?? METRICS[metric].help, one(lastOf(view, metric, factor))),
    ),
    ...memberFamilies(status),
  ];
}

function processFamilies(process: { memoryBytes: number; cpuSeconds: number }): MetricFamily[] {
  return [
    gauge('process_resident_memory_bytes', 'Resident memory of this coordinator.', [
      { value: process.memoryBytes },
    ]),
    counter('process_cpu_seconds_total', 'User and system CPU time of this coordinator.', [
      { value: process.cpuSeconds },
    ]),
  ];
}

/** A loss that is not finite shows as NaN, not as the last good one; validation stays until the next. */
function lastOf(view: RunView, metric: MetricName, factor: number): number | null {
  if (metric === 'valLoss') return view.metrics().column(metric).lastFinite();
  const row = view.metrics().last();
  if (row === null || (metric === 'mfu' && row.mfu === null)) return null;
  const value = row[metric];
  return typeof value === 'number' ? value * factor : NaN;
}

function runFamilies(status: RunStatus, one: (value: number | null) => Sample[]): MetricFamily[] {
  const { run } = status;
  const tokenBudget = status.steps * status.tokensPerStep;
  const phases = PHASES.map((phase) => ({ labels: { run, phase }, value: phase === status.phase ? 1 : 0 }));
  return [
    gauge('cria_run_info', 'Always 1; the labels say which run this is.', [
      { labels: { run, run_id: status.runId, leader: status.leader }, value: 1 },
    ]),
    gauge('cria_run_phase', 'Phase of the run: 1 at the one it is in.', phases),
    gauge('cria_step', 'The step that is next to be committed.', one(status.step)),
    gauge('cria_steps', 'Steps in the budget.', one(status.steps)),
    gauge('cria_token_budget', 'Tokens in the budget.', one(tokenBudget)),
    gauge('cria_parameters', "Parameters of the run's model.", one(status.parameters)),
    gauge('cria_term', 'Number of the present leadership.', one(status.term)),
    gauge('cria_seats_target', 'Places for workers that the run wants filled.', one(status.seats.target)),
    gauge('cria_seats_waiting', 'Open seats: what an autoscaler reads.', one(status.seats.waiting)),
    gauge('cria_coordinators', 'Coordinators of the cluster.', one(status.coordinators.length)),
    gauge(
      'cria_members',
      'Workers that hold the state of the run.',
      one(status.members.filter(({ role }) => role === 'member').length),
    ),
  ];
}

function memberFamilies(status: RunStatus): MetricFamily[] {
  const perMember = (value: (member: MemberView) => number): Sample[] =>
    status.members.map((member) => ({
      labels: { run: status.run, worker: member.id },
      value: value(member),
    }));
  return [
    gauge(
      'cria_worker_slots',
      'Slots granted for the step under way.',
      perMember((m) => m.slots.length),
    ),
    gauge(
      'cria_worker_tokens_per_second',
      'Measured speed.',
      perMember((m) => m.tokensPerSecond),
    ),
    gauge(
      'cria_worker_last_contact_seconds',
      'Time since anything was heard of the worker.',
      perMember((m) => m.lastContactMs / 1000),
    ),
    gauge(
      'cria_worker_wait_seconds',
      'Wait for others in the last step.',
      perMember((m) => m.waitMs / 1000),
    ),
    counter(
      'cria_worker_received_bytes_total',
      'Bytes fetched from others.',
      perMember((m) => m.bytesReceived),
    ),
    counter(
      'cria_worker_sent_bytes_total',
      'Bytes served to others.',
      perMember((m) => m.bytesSent),
    ),
    gauge(
      'cria_worker_memory_bytes',
      'Resident memory.',
      perMember((m) => m.memoryBytes),
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'counter', samples };
}
