// Which child process of `cria up` starts again, when, and when trying again makes no sense. Pure: the shell
// (up/supervisor.ts) reads the clock, starts and signals.

export type Role = 'redis' | 'coordinator' | 'worker';

/** One child's place: `worker-1` is always the second worker, whatever process fills it. */
export interface Place {
  readonly id: string;
  readonly role: Role;
  readonly phase: 'waiting' | 'running' | 'leaving';
  /** waiting: when to start it; running: when it was started. */
  readonly sinceMs: number;
  /** Failures in a row, each within {@link POLICY.healthyMs} of its start. */
  readonly quickFailures: number;
  /** The run's step when that row began. */
  readonly stepAtFirstFailure: number;
}

export interface SuperviseState {
  readonly places: readonly Place[];
  /** Committed steps, as far as known. */
  readonly step: number;
  readonly target: number;
  /** When there were first more workers than `target`; null while there are not. */
  readonly surplusSinceMs: number | null;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

export type SuperviseEvent =
  | { readonly kind: 'tick' }
  | { readonly kind: 'exited'; readonly place: string; readonly exit: Exit }
  | { readonly kind: 'progress'; readonly step: number }
  /** `seated`: the places whose workers the leader counts as members or shadows. */
  | { readonly kind: 'wanted'; readonly target: number; readonly seated: readonly string[] };

export type SuperviseEffect =
  | { readonly kind: 'start'; readonly place: Place }
  | { readonly kind: 'stop'; readonly place: Place }
  | { readonly kind: 'give-up'; readonly place: Place; readonly exit: Exit };

export interface Decision {
  readonly state: SuperviseState;
  readonly effects: readonly SuperviseEffect[];
  /** One sentence for people; empty when nothing noteworthy happened. */
  readonly reason: string;
}

export const POLICY = {
  /** A child that lived this long was well: the next one starts at once. */
  healthyMs: 5000,
  /** Delay before the n-th start in a row of quick failures; the last one goes on. */
  backOffMs: [0, 250, 500, 1000, 2000, 4000],
  /** So many quick failures in a row without one committed step end the run. */
  flapLimit: 6,
  /** The leader sends a surplus worker away by itself; only after this long do we choose one. */
  surplusMs: 3000,
  /** Exit code of a usage, configuration or environment error: the same again next time. */
  hopelessCode: 2,
} as const;

/** The children of a fresh `cria up`: everything is due now. */
export function initialState(options: {
  nowMs: number;
  redis: boolean;
  coordinators: number;
  workers: number;
}): SuperviseState {
  const { nowMs, redis, coordinators, workers } = options;
  const places = [
    ...(redis ? [newPlace('redis', 0, nowMs)] : []),
    ...Array.from({ length: coordinators }, (_, i) => newPlace('coordinator', i, nowMs)),
    ...Array.from({ length: workers }, (_, i) => newPlace('worker', i, nowMs)),
  ];
  return { places, step: 0, target: workers, surplusSinceMs: null };
}

export function supervise(nowMs: number, state: SuperviseState, event: SuperviseEvent): Decision {
  switch (event.kind) {
    case 'tick':
      return startDue(nowMs, state);
    case 'exited':
      return replaceExited(nowMs, state, event);
    case 'progress':
      return quietly({ ...state, step: Math.max(state.step, event.step) });
    case 'wanted':
      return followTarget(nowMs, state, event);
  }
}

function startDue(nowMs: number, state: SuperviseState): Decision {
  const isDue = (place: Place): boolean => place.phase === 'waiting' && place.sinceMs <= nowMs;
  const places = state.places.map((place): Place =>
    isDue(place) ? { ...place, phase: 'running', sinceMs: nowMs } : place,
  );
  const effects = places
    .filter((_, i) => isDue(state.places[i] as Place))
    .map((place) => ({ kind: 'start', place }) as const);
  return { state: { ...state, places }, effects, reason: '' };
}

function replaceExited(
  nowMs: number,
  state: SuperviseState,
  { place: id, exit }: { place: string; exit: Exit },
): Decision {
  const place = state.places.find((candidate) => candidate.id === id);
  if (place === undefined) return quietly(state);
  if (place.phase === 'leaving') return quietly(withoutPlace(state, id));
  if (exit.code === POLICY.hopelessCode) {
    return { state, effects: [{ kind: 'give-up', place, exit }], reason: `${id} cannot run here` };
  }
  const failed = countFailure(nowMs, state, place);
  if (failed.quickFailures >= POLICY.flapLimit && state.step <= failed.stepAtFirstFailure) {
    const reason = `${id} ended ${failed.quickFailures} times in a row, each within ${POLICY.healthyMs} ms`;
    return { state, effects: [{ kind: 'give-up', place: failed, exit }], reason };
  }
  const delayMs = backOffMs(failed.quickFailures);
  const next: Place = { ...failed, phase: 'waiting', sinceMs: nowMs + delayMs };
  const when = delayMs === 0 ? 'now' : `in ${delayMs} ms`;
  return {
    state: withPlace(state, next),
    effects: [],
    reason: `${id} ended (${describeExit(exit)}); starting it again ${when}`,
  };
}

function countFailure(nowMs: number, state: SuperviseState, place: Place): Place {
  if (nowMs - place.sinceMs >= POLICY.healthyMs) {
    return { ...place, quickFailures: 0, stepAtFirstFailure: state.step };
  }
  const isFirst = place.quickFailures === 0;
  return {
    ...place,
    quickFailures: place.quickFailures + 1,
    stepAtFirstFailure: isFirst ? state.step : place.stepAtFirstFailure,
  };
}

function backOffMs(quickFailures: number): number {
  const steps = POLICY.backOffMs;
  return steps[Math.min(Math.max(quickFailures - 1, 0), steps.length - 1)] as number;
}

function followTarget(
  nowMs: number,
  state: SuperviseState,
  { target, seated }: { target: number; seated: readonly string[] },
): Decision {
  const workers = state.places.filter((place) => place.role === 'worker' && place.phase !== 'leaving');
  if (workers.length < target) return addWorkers(nowMs, { ...state, target }, target - workers.length);
  if (workers.length === target) return quietly({ ...state, target, surplusSinceMs: null });
  const surplusSinceMs = state.surplusSinceMs ?? nowMs;
  const leaving = chooseSurplus(nowMs - surplusSinceMs, workers, {
    surplus: workers.length - target,
    seated,
  });
  const ids = new Set(leaving.map((place) => place.id));
  const places = state.places
    .filter((place) => !(ids.has(place.id) && place.phase === 'waiting'))
    .map((place): Place => (ids.has(place.id) ? { ...place, phase: 'leaving' } : place));
  return {
    state: { ...state, target, surplusSinceMs: leaving.length > 0 ? null : surplusSinceMs, places },
    effects: leaving
      .filter((place) => place.phase === 'running')
      .map((place) => ({ kind: 'stop', place }) as const),
    reason: leaving.length > 0 ? `${[...ids].join(', ')} not wanted any more: ${target} workers` : '',
  };
}

function addWorkers(nowMs: number, state: SuperviseState, missing: number): Decision {
  const taken = new Set(state.places.map((place) => place.id));
  const free = Array.from({ length: state.places.length + missing }, (_, i) => newPlace('worker', i, nowMs))
    .filter((place) => !taken.has(place.id))
    .slice(0, missing);
  return {
    state: { ...state, places: [...state.places, ...free], surplusSinceMs: null },
    effects: [],
    reason: `${free.map((place) => place.id).join(', ')} wanted: ${state.target} workers`,
  };
}

/** Who is without a seat goes first; someone who sits only when the leader has sent nobody away in time. */
function chooseSurplus(
  surplusForMs: number,
  workers: readonly Place[],
  { surplus, seated }: { surplus: number; seated: readonly string[] },
): readonly Place[] {
  const youngestFirst = [...workers].reverse();
  const idle = youngestFirst.filter((place) => !seated.includes(place.id));
  if (surplusForMs < POLICY.surplusMs) return idle.slice(0, surplus);
  return [...idle, ...youngestFirst.filter((place) => seated.includes(place.id))].slice(0, surplus);
}

/** `exit code 1`, `SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return signal ?? `exit code ${code ?? 'unknown'}`;
}

function newPlace(role: Role, index: number, nowMs: number): Place {
  const id = role === 'redis' ? 'redis' : `${role}-${index}`;
  return { id, role, phase: 'waiting', sinceMs: nowMs, quickFailures: 0, stepAtFirstFailure: 0 };
}

function withPlace(state: SuperviseState, place: Place): SuperviseState {
  return { ...state, places: state.places.map((other) => (other.id === place.id ? place : other)) };
}

function withoutPlace(state: SuperviseState, id: string): SuperviseState {
  return { ...state, places: state.places.filter((place) => place.id !== id) };
}

function quietly(state: SuperviseState): Decision {
  return { state, effects: [], reason: '' };
}
