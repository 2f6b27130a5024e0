// Carries out what decide/supervise.ts decides: starts, watches and stops the children of `cria up`.
import { CriaError, exitCodeOf, sleep, unreachable, type Clock, type Log } from '@cria/runtime';
import {
  describeExit,
  initialState,
  supervise,
  type Exit,
  type Place,
  type Role,
  type SuperviseEffect,
  type SuperviseEvent,
  type SuperviseState,
} from '../decide/supervise.js';
import type { Child } from './child.js';
import type { Watchdog } from './watchdog.js';

const TICK_MS = 50;
/** Time to leave cleanly: a worker hands over its slots at the end of its step, a coordinator closes its files. */
const GRACE_MS: Record<Role, number> = { worker: 10_000, coordinator: 15_000, redis: 3_000 };
const STOP_ORDER: readonly Role[] = ['worker', 'coordinator', 'redis'];

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly watchdog: Watchdog;
  readonly redis: boolean;
  readonly coordinators: number;
  readonly workers: number;
  /** The signal aborts when nothing is to be started any more. */
  readonly launch: (place: Place, signal: AbortSignal) => Promise<Child>;
  /** Asked when a child has ended: after the run's end nobody is replaced. */
  readonly isOver: () => boolean;
  /** Says what happened, in a sentence for people. */
  readonly note: (sentence: string) => void;
  /** The error for a child that is given up. */
  readonly explain: (place: Place, exit: Exit) => CriaError;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children = new Map<string, Child>();
  readonly #launching = new Set<Promise<void>>();
  #state: SuperviseState;
  readonly #stopping = new AbortController();
  #failure: ((error: Error) => void) | null = null;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#state = initialState({ nowMs: options.clock.monotonicMs(), ...options });
  }

  /** Keeps the children running; resolves when the signal aborts, rejects when a child is given up. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new Promise<never>((_, reject) => (this.#failure = reject));
    failed.catch(() => undefined);
    while (!signal.aborted) {
      this.#take({ kind: 'tick' });
      await Promise.race([sleep(this.#options.clock, TICK_MS, signal).catch(() => undefined), failed]);
    }
  }

  progress(step: number): void {
    this.#take({ kind: 'progress', step });
  }

  /** How many workers the run wants now, and which processes sit. */
  wanted(target: number, seatedPids: readonly number[]): void {
    const seated = [...this.#children]
      .filter(([, child]) => seatedPids.includes(child.pid))
      .map(([id]) => id);
    this.#take({ kind: 'wanted', target, seated });
  }

  /** More worker processes than the run wants: somebody has to say who sits. */
  hasSurplus(target: number): boolean {
    const workers = this.#state.places.filter(({ role, phase }) => role === 'worker' && phase !== 'leaving');
    return workers.length > target;
  }

  /** Stops the children of some roles, one role after the other; they are not started again. */
  async stop(roles: readonly Role[] = STOP_ORDER): Promise<void> {
    this.#stopping.abort();
    await Promise.allSettled([...this.#launching]);
    for (const role of STOP_ORDER.filter((candidate) => roles.includes(candidate))) {
      const ours = [...this.#children].filter(([id]) => id.startsWith(role));
      await Promise.all(ours.map(([, child]) => child.stop(GRACE_MS[role])));
    }
  }

  #take(event: SuperviseEvent): void {
    if (this.#stopping.signal.aborted) return;
    const { state, effects, reason } = supervise(this.#options.clock.monotonicMs(), this.#state, event);
    this.#state = state;
    if (reason !== '') this.#options.note(reason);
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: SuperviseEffect): void {
    switch (effect.kind) {
      case 'start': {
        const launching = this.#start(effect.place);
        this.#launching.add(launching);
        void launching.finally(() => this.#launching.delete(launching));
        return;
      }
      case 'stop':
        void this.#children.get(effect.place.id)?.stop(GRACE_MS[effect.place.role]);
        return;
      case 'give-up':
        this.#failure?.(this.#options.explain(effect.place, effect.exit));
        return;
      default:
        unreachable(effect);
    }
  }

  async #start(place: Place): Promise<void> {
    const { launch, log, watchdog } = this.#options;
    let child: Child;
    try {
      child = await launch(place, this.#stopping.signal);
    } catch (error) {
      this.#launchFailed(place, error);
      return;
    }
    this.#children.set(place.id, child);
    watchdog.started(child.pid);
    log.info({ place: place.id, childPid: child.pid }, 'started');
    void child.closed.then((exit) => this.#ended(place.id, child, exit));
  }

  #launchFailed(place: Place, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    const { log } = this.#options;
    log.error({ place: place.id, reason: CriaError.from(error).message }, 'cannot be started');
    const code = exitCodeOf(error);
    if (code === 1) this.#take({ kind: 'exited', place: place.id, exit: { code, signal: null } });
    else this.#failure?.(CriaError.from(error));
  }

  #ended(id: string, child: Child, exit: Exit): void {
    const { log, watchdog, isOver } = this.#options;
    watchdog.ended(child.pid);
    this.#children.delete(id);
    log.info({ place: id, childPid: child.pid, exit: describeExit(exit) }, 'ended');
    if (!isOver()) this.#take({ kind: 'exited', place: id, exit });
  }
}
