import { describe, expect, it } from 'vitest';
import { Rng } from '@cria/runtime';
import { rowAt } from '../row-fixture.js';
import type { StepMetrics } from '../step-metrics.js';
import { ALERT_RULE_NAMES } from './alert.js';
import type { Alert } from './alert.js';
import { NO_ALERTS, alertsAfterLook, alertsAfterStep } from './alert-rules.js';
import type { Look } from './alert-rules.js';
import { DEFAULT_THRESHOLDS } from './thresholds.js';
import { webhookBody, webhookFormat } from './webhook.js';

/** A run that is watched: what it says goes to `told`. */
class Watched {
  state = NO_ALERTS;
  told: string[] = [];
  last: Alert | null = null;
  #rng = new Rng(5);
  #step = 0;
  rules = DEFAULT_THRESHOLDS;

  step(fields: Partial<StepMetrics> = {}): this {
    const noise = this.#rng.next() - 0.5;
    const row = rowAt(this.#step++, { loss: 4 + 0.1 * noise, gradNorm: 1 + 0.1 * noise, ...fields });
    this.#take(alertsAfterStep(this.state, row, this.rules));
    return this;
  }

  steps(count: number, fields: Partial<StepMetrics> = {}): this {
    for (let i = 0; i < count; i++) this.step(fields);
    return this;
  }

  look(fields: Partial<Look> = {}): this {
    const look = {
      wallMs: (this.state.lastStepWallMs ?? 0) + 100,
      phase: 'running',
      members: [],
      pausedQueues: [],
      checkpointStep: this.state.step,
      checkpointEverySteps: 50,
      freeBytes: 1e12,
      ...fields,
    };
    this.#take(alertsAfterLook(this.state, look, this.rules));
    return this;
  }

  #take({ state, changed }: ReturnType<typeof alertsAfterStep>): void {
    this.state = state;
    for (const alert of changed) {
      this.last = alert;
      this.told.push(`${alert.rule} ${alert.state}`);
    }
  }
}

describe('alerts', () => {
  it('say nothing about a run that goes well', () => {
    const run = new Watched();
    for (let i = 0; i < 300; i++) run.step().look();
    expect(run.told).toEqual([]);
  });

  it('tell at once of numbers that are not finite, once, and when it is over', () => {
    const run = new Watched().steps(3).step({ loss: null }).step({ loss: null });
    expect(run.told).toEqual(['not-finite firing']);
    expect(run.last).toMatchObject({ metric: 'loss', severity: 'error', step: 3, endedWallMs: null });
    run.steps(4);
    expect(run.told).toHaveLength(1);
    run.step();
    expect(run.told).toEqual(['not-finite firing', 'not-finite resolved']);
    expect(run.last?.endedWallMs).toBe(rowAt(9).wallMs);
  });

  it('call three high losses a spike, but not one, and end it with some distance', () => {
    const run = new Watched().steps(100).step({ loss: 9 }).steps(10);
    expect(run.told).toEqual([]);
    run.steps(3, { loss: 9 });
    expect(run.told).toEqual(['loss-spike firing']);
    run.steps(20);
    expect(run.told).toEqual(['loss-spike firing', 'loss-spike resolved']);
  });

  it('need some steps before they speak of spikes', () => {
    expect(new Watched().steps(5).steps(5, { loss: 50, gradNorm: 50 }).told).toEqual([]);
  });

  it('tell of a gradient norm far above its average', () => {
    expect(new Watched().steps(100).step({ gradNorm: 40 }).told).toEqual(['grad-norm-spike firing']);
  });

  it('call it divergence when the smoothed loss stays far above its best', () => {
    const run = new Watched();
    run.rules = { ...DEFAULT_THRESHOLDS, lossSpike: null };
    run.steps(200).steps(150, { loss: 7 });
    expect(run.told).toEqual([]);
    run.steps(200, { loss: 7 });
    expect(run.told).toEqual(['divergence firing']);
  });

  it('tell of a run that stalls, not of one that is paused', () => {
    const run = new Watched().steps(50);
    const wallMs = (run.state.lastStepWallMs ?? 0) + 61_000;
    run.look({ wallMs, phase: 'paused' });
    expect(run.told).toEqual([]);
    run.look({ wallMs }).look({ wallMs: wallMs + 1000 });
    expect(run.told).toEqual(['stalled firing']);
    expect(run.last?.text).toContain('no step for 61 s');
    run.step().look();
    expect(run.told).toEqual(['stalled firing', 'stalled resolved']);
  });

  it('tell of a worker that is silent, until it speaks or is gone', () => {
    const member = { id: 'w-1', lastContactMs: 100, slotMs: 20 };
    const run = new Watched().step().look({ members: [member] });
    run.look({ members: [{ ...member, lastContactMs: 12_400 }] });
    expect(run.last?.text).toBe('no contact with w-1 for 12 s');
    run.look({ members: [member] }).look({ members: [member] });
    run.look({ members: [{ ...member, lastContactMs: 12_400 }] }).look({ members: [] });
    expect(run.told).toEqual([
      'worker-silent firing',
      'worker-silent resolved',
      'worker-silent firing',
      'worker-silent resolved',
    ]);
  });

  it('find the straggler, also of two', () => {
    const fast = { id: 'w-1', lastContactMs: 10, slotMs: 20 };
    const slow = { id: 'w-2', lastContactMs: 10, slotMs: 50 };
    const run = new Watched().step();
    for (let i = 0; i < 9; i++) run.look({ members: [fast, slow] });
    expect(run.told).toEqual([]);
    run.look({ members: [fast, slow] });
    expect(run.last).toMatchObject({ rule: 'straggler', worker: 'w-2' });
    // Better, but not well: it goes on.
    for (let i = 0; i < 9; i++) run.look({ members: [fast, { ...slow, slotMs: 38 }] });
    expect(run.told).toHaveLength(1);
    for (let i = 0; i < 5; i++) run.look({ members: [fast, { ...slow, slotMs: 25 }] });
    expect(run.told).toEqual(['straggler firing', 'straggler resolved']);
  });

  it('tell of throughput that stays down, of a checkpoint that is overdue and of a disk that fills', () => {
    const run = new Watched().steps(60).steps(19, { tokensPerSecond: 12_000 });
    expect(run.told).toEqual([]);
    run.step({ tokensPerSecond: 9000 });
    expect(run.told).toEqual(['throughput-drop firing']);
    for (let i = 0; i < 3; i++) run.look({ checkpointStep: null, checkpointEverySteps: 30 });
    expect(run.told.at(-1)).toBe('checkpoint-overdue firing');
    run.look({ freeBytes: 5e8 }).look({ freeBytes: 1.1e9 }).look({ freeBytes: 1.1e9 });
    expect(run.told.at(-1)).toBe('disk-low firing');
    run.look({ freeBytes: 2e9 }).look({ freeBytes: 2e9 });
    expect(run.told.at(-1)).toBe('disk-low resolved');
  });

  it('tell of steps that wait for their tokens', () => {
    const run = new Watched().steps(30).steps(19, { dataMs: 60 });
    expect(run.told).toEqual([]);
    run.step({ dataMs: 60 });
    expect(run.last?.text).toBe('30 % of a step goes by with waiting for its tokens to be read');
    run.steps(9, { dataMs: 35 });
    expect(run.told).toEqual(['data-loading firing']);
    run.steps(5);
    expect(run.told).toEqual(['data-loading firing', 'data-loading resolved']);
  });

  it('say nothing of tokens in files from before they were timed', () => {
    const old = Object.fromEntries(Object.entries(rowAt(0)).filter(([name]) => name !== 'dataMs'));
    expect(alertsAfterStep(NO_ALERTS, old as unknown as StepMetrics, DEFAULT_THRESHOLDS).changed).toEqual([]);
  });

  it('tell of a queue that stays paused while jobs wait in it, and not of an empty one', () => {
    const run = new Watched().step();
    const wallMs = run.state.lastStepWallMs ?? 0;
    const lookAt = (minute: number, waiting: number): Watched =>
      run.look({
        wallMs: wallMs + 60_000 * minute,
        phase: 'paused',
        pausedQueues: [{ name: 'shards', waiting }],
      });
    for (let minute = 0; minute < 30; minute++) lookAt(minute, 0);
    for (let minute = 30; minute < 40; minute++) lookAt(minute, 4);
    expect(run.told).toEqual([]);
    lookAt(40, 4);
    expect(run.last).toMatchObject({ rule: 'paused-queue', severity: 'warn' });
    expect(run.last?.text).toBe('paused for 10 min while jobs wait: 4 in shards');
    run.look({ wallMs: wallMs + 41 * 60_000, phase: 'paused' });
    expect(run.told).toEqual(['paused-queue firing', 'paused-queue resolved']);
  });

  it('are silent where their rule is off', () => {
    const run = new Watched();
    const off = Object.fromEntries(Object.keys(DEFAULT_THRESHOLDS).map((rule) => [rule, null]));
    run.rules = { ...off, notFinite: false } as typeof DEFAULT_THRESHOLDS;
    run.steps(50).steps(300, { loss: null, gradNorm: 90, tokensPerSecond: 1 });
    run.look({ freeBytes: 0, checkpointStep: null, members: [{ id: 'w', lastContactMs: 1e9, slotMs: 1 }] });
    expect(run.told).toEqual([]);
    run.look({ pausedQueues: [{ name: 'seats', waiting: 1 }] });
    expect(ALERT_RULE_NAMES).toHaveLength(12);
  });
});

describe('a webhook', () => {
  const alert = new Watched().step({ loss: null }).last as Alert;
  const run = { run: '<b>@everyone', runId: 'r1' };

  it('gets what its service reads, by the host of its address', () => {
    expect(webhookFormat('https://hooks.slack.com/services/x')).toBe('slack');
    expect(webhookFormat('https://discord.com/api/webhooks/1')).toBe('discord');
    expect(webhookFormat('https://example.org/hooks.slack.com')).toBe('generic');
    expect(webhookBody('slack', run, alert)).toEqual({
      text: '[&lt;b&gt;@everyone] error: loss of step 0 is not finite (not-finite, step 0)',
    });
    expect(webhookBody('discord', run, alert)).toMatchObject({ allowed_mentions: { parse: [] } });
    expect(webhookBody('generic', run, { ...alert, state: 'resolved' })).toMatchObject({
      runId: 'r1',
      text: expect.stringContaining('over: loss'),
      alert: { rule: 'not-finite', step: 0 },
    });
  });
});
