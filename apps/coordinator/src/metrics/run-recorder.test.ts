import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENTS_FILE, METRICS_FILE, type StepMetrics } from '@cria/metrics';
import { FakeClock, silentLog } from '@cria/runtime';
import type { LiveMessage } from '../http/run-view.js';
import { RunRecorder, type RecordedStep } from './run-recorder.js';

const START_MS = 1_700_000_000_000;
const STEP_MS = 200;

let outDir: string;
const open: RunRecorder[] = [];

beforeEach(() => {
  outDir = mkdtempSync(join(tmpdir(), 'cria-recorder-'));
});
afterEach(async () => {
  for (const recorder of open.splice(0)) await recorder.close();
  rmSync(outDir, { recursive: true });
});

interface Recording {
  readonly recorder: RunRecorder;
  readonly heard: LiveMessage[];
}

/** A coordinator's recorder, at a time of day. */
async function recording(wallMs = START_MS): Promise<Recording> {
  const clock = new FakeClock();
  clock.wallMs = () => wallMs;
  const recorder = new RunRecorder({
    ...{ outDir, clock, log: silentLog, parameters: 1000 },
    ...{ flopsPerToken: 6000, peakFlops: 1e9 },
  });
  await recorder.open();
  open.push(recorder);
  const heard: LiveMessage[] = [];
  recorder.live.subscribe((message) => heard.push(message));
  return { recorder, heard };
}

function recorded(step: number, fields: Partial<RecordedStep> = {}, loss = 4): RecordedStep {
  const math = {
    ...{ step, tokens: 4096, lr: 1e-3, stateDigest: '0'.repeat(16), gradDigest: '0'.repeat(16) },
    ...{
      gradNorm: 1.5,
      loss,
      flagged: [],
      verdict: Number.isFinite(loss) ? ('use' as const) : ('skip' as const),
    },
  };
  const ops = {
    ...{ term: { number: 1, leader: 'c-1' }, attempt: 1, members: [], recomputed: [] },
    ...{ desired: { revision: 1, target: 2, paused: false }, wallMs: START_MS + STEP_MS * (step + 1) },
  };
  return {
    entry: { math, ops, mathHash: '', opsHash: '' },
    ...{ stepMs: STEP_MS, attempts: 1, lostMs: 0, members: 2, computeMs: 150, dataMs: 1 },
    ...{ exchangeMs: 30, commitMs: 2, waitMs: 5, wireBytes: 2500, reports: 2 },
    ...fields,
  };
}

const lines = (file: string): unknown[] =>
  readFileSync(join(outDir, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

const BITS_OF_2 = 0x40000000;
const BITS_OF_NAN = 0x7fc00000;

describe('a committed step', () => {
  it('is a line, a row of the history, a message and a TensorBoard event', async () => {
    const { recorder, heard } = await recording();
    await recorder.beginSegment(0, { goesOn: false });
    recorder.step(recorded(0));
    recorder.step(recorded(1));
    await recorder.close();
    open.pop();
    const rows = lines(METRICS_FILE) as StepMetrics[];
    expect(rows.map(({ step, tokens, segment }) => [step, tokens, segment])).toEqual([
      [0, 4096, 0],
      [1, 8192, 0],
    ]);
    // 4096 tokens in 0.2 s, 6000 operations a token, two workers of 1e9 a second; 2500 bytes of 1000 parameters, by two.
    expect(rows[0]).toMatchObject({
      tokensPerSecond: 20_480,
      mfu: 0.06144,
      bitsPerParameter: 10,
      activeMs: 200,
    });
    expect(heard.map(({ cursor, type }) => `${cursor} ${type}`)).toEqual(['0.0.0 step', '0.1.0 step']);
    expect(readdirSync(join(outDir, 'tensorboard'))).toHaveLength(1);
  });

  it('whose loss is not finite is null, and the skipped step an event', async () => {
    const { recorder } = await recording();
    await recorder.beginSegment(0, { goesOn: false });
    recorder.step(recorded(0, {}, Number.NaN));
    recorder.step(recorded(1, {}, Number.POSITIVE_INFINITY));
    expect(recorder.history.at(0)).toMatchObject({ loss: null, verdict: 'skip' });
    expect(recorder.history.at(1)).toMatchObject({ loss: null });
    expect(recorder.events.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
      'step-skipped 0',
      'step-skipped 1',
    ]);
  });

  it('brings the validation loss of the state that it began with, once', async () => {
    const { recorder } = await recording();
    await recorder.beginSegment(0, { goesOn: false });
    recorder.validated(0, [BITS_OF_2, null, BITS_OF_2]);
    recorder.step(recorded(0));
    recorder.step(recorded(1));
    recorder.validated(2, [BITS_OF_NAN]);
    recorder.step(recorded(2));
    const losses = [0, 1, 2].map((step) => recorder.history.at(step)?.valLoss);
    expect(losses).toEqual([2, undefined, null]);
    expect(recorder.valLoss).toBe(2);
  });
});

describe('the next leader', () => {
  it('counts the time without one to its first step, which others began', async () => {
    const first = await recording();
    await first.recorder.beginSegment(0, { goesOn: false });
    for (let step = 0; step < 5; step++) first.recorder.step(recorded(step));
    await first.recorder.close();
    open.pop();
    // Step 5 began at once, its leader died, and 3 s later another one finds it nearly done.
    const { recorder } = await recording(START_MS + 5 * STEP_MS + 3000);
    await recorder.beginSegment(5, { goesOn: true });
    recorder.step(recorded(5, { stepMs: 10 }));
    recorder.step(recorded(6));
    expect(recorder.history.at(5)).toMatchObject({ stepMs: 3010, segment: 1, activeMs: 5 * 200 + 3010 });
    expect(recorder.history.at(5)?.tokensPerSecond).toBeCloseTo(4096 / 3.01, 6);
    expect(recorder.history.at(6)).toMatchObject({ stepMs: 200, tokensPerSecond: 20_480 });
  });

  it('of a run that was resumed does not count the night', async () => {
    const first = await recording();
    await first.recorder.beginSegment(0, { goesOn: false });
    first.recorder.step(recorded(0));
    await first.recorder.close();
    open.pop();
    const { recorder } = await recording(START_MS + 36_000_000);
    await recorder.beginSegment(1, { goesOn: false });
    recorder.step(recorded(1));
    expect(recorder.history.at(1)).toMatchObject({ stepMs: 200, activeMs: 400, segment: 1 });
  });

  it('cuts away half a line, says so, and goes on behind the last whole one', async () => {
    const first = await recording();
    await first.recorder.beginSegment(0, { goesOn: false });
    for (let step = 0; step < 3; step++) first.recorder.step(recorded(step));
    await first.recorder.close();
    open.pop();
    appendFileSync(join(outDir, METRICS_FILE), '{"step":3,"tok');
    const { recorder } = await recording();
    await recorder.beginSegment(3, { goesOn: true });
    recorder.step(recorded(3));
    await recorder.close();
    open.pop();
    expect((lines(METRICS_FILE) as StepMetrics[]).map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    const [damage] = lines(EVENTS_FILE) as Array<{ kind: string; text: string }>;
    expect(damage).toMatchObject({ kind: 'damage-found', text: expect.stringContaining('14 bytes') });
  });
});

describe('a coordinator that stands by', () => {
  it('tells what the leader wrote, in its order, each once', async () => {
    const leader = await recording();
    const standby = await recording();
    await leader.recorder.beginSegment(0, { goesOn: false });
    leader.recorder.event('run-started', 0, 'it starts');
    leader.recorder.step(recorded(0));
    await leader.recorder.keepIndex({ now: true });
    await standby.recorder.follow();
    leader.recorder.step(recorded(1));
    leader.recorder.event('worker-left', 1, 'w-1 leaves');
    await leader.recorder.keepIndex({ now: true });
    await standby.recorder.follow();
    await standby.recorder.follow();
    const told = ({ heard }: Recording, type: string): unknown[] =>
      heard.filter((message) => message.type === type).map(({ data }) => data);
    expect(standby.heard).toHaveLength(4);
    for (const type of ['step', 'event']) expect(told(standby, type)).toEqual(told(leader, type));
    expect(standby.recorder.live.cursor()).toBe(leader.recorder.live.cursor());
  });
});
