import { describe, expect, it } from 'vitest';
import { initialState, POLICY, supervise } from './supervise.js';
import type { Decision, Exit, SuperviseEvent, SuperviseState } from './supervise.js';

const KILLED: Exit = { code: null, signal: 'SIGKILL' };

/** Plays events at their times; returns every decision. */
function play(state: SuperviseState, events: ReadonlyArray<readonly [number, SuperviseEvent]>): Decision[] {
  const decisions: Decision[] = [];
  for (const [nowMs, event] of events) {
    const decision = supervise(nowMs, state, event);
    decisions.push(decision);
    state = decision.state;
  }
  return decisions;
}

const fresh = (workers = 2): SuperviseState =>
  initialState({ nowMs: 0, redis: true, coordinators: 1, workers });
const running = (workers = 2): SuperviseState => supervise(0, fresh(workers), { kind: 'tick' }).state;
const effectsOf = (decision: Decision | undefined): string[] =>
  (decision?.effects ?? []).map((effect) => `${effect.kind} ${effect.place.id}`);
const idsOf = (state: SuperviseState | undefined): string[] =>
  (state?.places ?? []).filter((place) => place.phase !== 'leaving').map((place) => place.id);

describe('supervise', () => {
  it('starts everything once, Redis first', () => {
    const [first, second] = play(fresh(), [
      [0, { kind: 'tick' }],
      [1, { kind: 'tick' }],
    ]);
    expect(effectsOf(first)).toEqual([
      'start redis',
      'start coordinator-0',
      'start worker-0',
      'start worker-1',
    ]);
    expect(effectsOf(second)).toEqual([]);
  });

  it.each(['redis', 'coordinator-0', 'worker-1'])('starts %s again at once when it was killed', (place) => {
    const [died, tick] = play(running(), [
      [60_000, { kind: 'exited', place, exit: KILLED }],
      [60_000, { kind: 'tick' }],
    ]);
    expect(died?.reason).toContain(`${place} ended (SIGKILL)`);
    expect(effectsOf(tick)).toEqual([`start ${place}`]);
  });

  it('starts a worker again that left by itself', () => {
    const [, tick] = play(running(), [
      [60_000, { kind: 'exited', place: 'worker-0', exit: { code: 0, signal: null } }],
      [60_000, { kind: 'tick' }],
    ]);
    expect(effectsOf(tick)).toEqual(['start worker-0']);
  });

  it('waits longer after every quick failure, and not at all after a healthy life', () => {
    let state = running();
    let nowMs = 0;
    const delaysMs: number[] = [];
    for (let failure = 0; failure < 5; failure++) {
      state = supervise(nowMs, state, { kind: 'exited', place: 'worker-0', exit: KILLED }).state;
      const dueMs = state.places.find((place) => place.id === 'worker-0')?.sinceMs ?? NaN;
      delaysMs.push(dueMs - nowMs);
      nowMs = dueMs;
      state = supervise(nowMs, state, { kind: 'tick' }).state;
    }
    expect(delaysMs).toEqual([0, 250, 500, 1000, 2000]);
    nowMs += POLICY.healthyMs;
    state = supervise(nowMs, state, { kind: 'exited', place: 'worker-0', exit: KILLED }).state;
    expect(state.places.find((place) => place.id === 'worker-0')?.sinceMs).toBe(nowMs);
  });

  function failUntilGivenUp(step: (failure: number) => number): number | null {
    let state = running();
    let nowMs = 0;
    for (let failure = 1; failure <= 20; failure++) {
      state = supervise(nowMs, state, { kind: 'progress', step: step(failure) }).state;
      const decision = supervise(nowMs, state, { kind: 'exited', place: 'worker-0', exit: KILLED });
      if (decision.effects.some((effect) => effect.kind === 'give-up')) return failure;
      nowMs += 4000;
      state = supervise(nowMs, decision.state, { kind: 'tick' }).state;
    }
    return null;
  }

  it('gives up on a child that keeps failing while no step is committed', () => {
    expect(failUntilGivenUp(() => 7)).toBe(POLICY.flapLimit);
  });

  it('never gives up while the run makes progress', () => {
    expect(failUntilGivenUp((failure) => failure)).toBeNull();
  });

  it('gives up at once on a child that says its configuration is wrong', () => {
    const exit = { code: 2, signal: null };
    const [decision] = play(running(), [[10, { kind: 'exited', place: 'coordinator-0', exit }]]);
    expect(effectsOf(decision)).toEqual(['give-up coordinator-0']);
  });

  it('adds workers under the lowest free names when the target rises', () => {
    const [decision, tick] = play(running(1), [
      [5, { kind: 'wanted', target: 3, seated: ['worker-0'] }],
      [5, { kind: 'tick' }],
    ]);
    expect(idsOf(decision?.state)).toEqual(['redis', 'coordinator-0', 'worker-0', 'worker-1', 'worker-2']);
    expect(effectsOf(tick)).toEqual(['start worker-1', 'start worker-2']);
  });

  it('stops the worker that the leader has sent from its seat when the target falls', () => {
    const [early, sent] = play(running(3), [
      [0, { kind: 'wanted', target: 2, seated: ['worker-0', 'worker-1', 'worker-2'] }],
      [500, { kind: 'wanted', target: 2, seated: ['worker-0', 'worker-2'] }],
    ]);
    expect(effectsOf(early)).toEqual([]);
    expect(effectsOf(sent)).toEqual(['stop worker-1']);
  });

  it('stops the youngest when the leader sends nobody away in time', () => {
    const seated = ['worker-0', 'worker-1', 'worker-2'];
    const decisions = play(running(3), [
      [0, { kind: 'wanted', target: 2, seated }],
      [POLICY.surplusMs, { kind: 'wanted', target: 2, seated }],
    ]);
    expect(effectsOf(decisions[1])).toEqual(['stop worker-2']);
  });

  it('does not replace a worker that was stopped because the target fell', () => {
    const decisions = play(running(2), [
      [0, { kind: 'wanted', target: 1, seated: ['worker-0'] }],
      [10, { kind: 'exited', place: 'worker-1', exit: { code: 0, signal: null } }],
      [20, { kind: 'tick' }],
    ]);
    expect(effectsOf(decisions[0])).toEqual(['stop worker-1']);
    expect(effectsOf(decisions[2])).toEqual([]);
    expect(idsOf(decisions[2]?.state)).toEqual(['redis', 'coordinator-0', 'worker-0']);
  });
});
