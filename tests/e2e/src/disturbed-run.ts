// One long run to which things are done, one after the other, and that ends by `cria stop`; then one undisturbed worker
// trains as many steps, and everything that the mathematics decided must be equal.
import { readFileSync, renameSync } from 'node:fs';
import { expect } from 'vitest';
import { reference } from './reference.js';
import type { Life, Outcome, Stage } from './stage.js';

/** More than any test takes; the schedule is that of this budget. */
const BUDGET = 100_000;

/** What sets such a run apart from the tests' other ones. */
export const BUDGET_SETTINGS: readonly string[] = [
  `budget.steps=${BUDGET}`,
  'checkpoint.everySteps=10',
  'data.validation.everySteps=0',
];

export interface DisturbedOptions {
  readonly workers: number;
  readonly coordinators?: number;
  readonly env?: NodeJS.ProcessEnv;
  readonly flags?: readonly string[];
  /** A configuration that runs for ever; the tests' own otherwise. */
  readonly config?: string;
}

export class DisturbedRun {
  readonly stage: Stage;
  readonly workers: number;
  readonly #options: DisturbedOptions;
  readonly #up: Life;
  #target: number;

  constructor(stage: Stage, options: DisturbedOptions) {
    const { workers, coordinators = 1, env = {}, flags = [], config } = options;
    this.stage = stage;
    this.workers = this.#target = workers;
    this.#options = options;
    const own = ['--steps', String(BUDGET), '--coordinators', String(coordinators), ...flags];
    const chosen =
      config === undefined ? settings(workers) : ['--config', config, '--workers', String(workers)];
    this.#up = stage.up([...chosen, ...own], env);
  }

  /** What `cria up` has said to people. */
  get said(): string {
    return this.#up.stderr();
  }

  /** To `cria up` itself. */
  signal(signal: NodeJS.Signals): void {
    this.#up.signal(signal);
  }

  /** Waits until all workers share steps. */
  async begun(): Promise<void> {
    await this.stage.committed(2);
    await this.whole();
  }

  /** Stops the run and compares it with an undisturbed one of the same length; how many steps that were. */
  async compare(): Promise<number> {
    const outcome = await this.stop();
    await compareWithUndisturbed(this.stage, outcome, this.#options.flags);
    return outcome.steps;
  }

  /** `cria stop`, and the end of the life that it ends. */
  async stop(): Promise<Outcome> {
    await this.stage.wish('stop');
    return this.#up.outcome();
  }

  workerPids(): number[] {
    const children = [...this.stage.run.children()];
    return children.filter(([place]) => place.startsWith('worker-')).map(([, pid]) => pid);
  }

  /** How many workers are wanted now. */
  get target(): number {
    return this.#target;
  }

  /** Says how many workers are wanted. */
  async want(target: number): Promise<void> {
    await this.stage.wish('scale', String(target));
    this.#target = target;
  }

  /** The same, and waits until it is so. */
  async scale(target: number): Promise<void> {
    await this.want(target);
    await this.whole();
  }

  /** All children run again, all workers are members, and with them a step was committed. */
  async whole(killed: readonly number[] = []): Promise<void> {
    const { run } = this.stage;
    let stepsWhenWhole: number | null = null;
    await this.stage.until('everybody is back', async () => {
      const children = run.children();
      const isBack = children.size === this.#childCount() && killed.every((pid) => !pids(children).has(pid));
      const members = isBack ? await this.#memberPids() : [];
      const isWhole = isBack && sorted(members) === sorted(this.workerPids());
      if (!isWhole) stepsWhenWhole = null;
      else stepsWhenWhole ??= run.steps();
      return stepsWhenWhole !== null && run.steps() > stepsWhenWhole;
    });
  }

  #childCount(): number {
    const { coordinators = 1, env = {} } = this.#options;
    return this.#target + coordinators + (env['REDIS_URL'] === undefined ? 1 : 0);
  }

  async #memberPids(): Promise<number[]> {
    const status = await this.stage.status();
    return (status?.members ?? []).filter(({ role }) => role === 'member').map(({ pid }) => pid);
  }
}

/** Trains one undisturbed worker as far as the run came and expects every bit of it. */
export async function compareWithUndisturbed(
  stage: Stage,
  outcome: Outcome,
  flags: readonly string[] = [],
): Promise<void> {
  const { run } = stage;
  const disturbed = mathematics(run.file('ledger.jsonl'));
  renameSync(run.path, stage.disturbed.path);
  // The one at the end is all that is needed.
  const rarely = ['--set', `checkpoint.everySteps=${BUDGET}`];
  const life = stage.up([...settings(1), ...flags, ...rarely, '--steps', String(outcome.steps)]);
  expect(hashes(outcome)).toEqual(hashes(await life.outcome()));
  expect(disturbed).toEqual(mathematics(run.file('ledger.jsonl')));
  const audited = await stage.cria('audit', stage.disturbed.path, '--json');
  expect(audited.code, audited.stdout).toBe(0);
}

/** Flags of a run that goes on until it is told to stop. */
export function settings(workers: number): string[] {
  return [
    ...['--config', reference().config, '--workers', String(workers)],
    ...BUDGET_SETTINGS.flatMap((value) => ['--set', value]),
  ];
}

function hashes({ steps, mathHash, modelSha256, stateSha256 }: Outcome): object {
  return { steps, mathHash, modelSha256, stateSha256 };
}

/** What the mathematics decided, step by step; what happened on the way is left out. */
function mathematics(ledger: string): string[] {
  const lines = readFileSync(ledger, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const { step, lossBits, gradDigest, stateDigest, verdict, mathHash } = JSON.parse(line) as Record<
      string,
      unknown
    >;
    return JSON.stringify({ step, lossBits, gradDigest, stateDigest, verdict, mathHash });
  });
}

function pids(children: ReadonlyMap<string, number>): Set<number> {
  return new Set(children.values());
}

function sorted(numbers: readonly number[]): string {
  return [...numbers].sort((a, b) => a - b).join();
}
