// One test's place: a folder, the processes started in it, and what to say when it fails. Nobody outlives the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lastObject, runCria, startCria, type CriaEnd, type CriaProcess } from './cria.js';
import { FaultPoints, type PausePoint } from './fault-points.js';
import { kill, killAllIn, processesIn } from './processes.js';
import { statusOf, type Status } from './run-api.js';
import { RunDirectory } from './run-directory.js';
import { until, type Look } from './until.js';

/** The last line of `cria up --json`. */
export interface Outcome {
  readonly run: string;
  readonly steps: number;
  readonly tokens: number;
  readonly loss: number;
  readonly valLoss: number | null;
  readonly mathHash: string;
  readonly opsHash: string;
  readonly checkpoint: string;
  readonly modelSha256: string;
  readonly stateSha256: string;
}

/** One life of `cria up`. */
export interface Life extends CriaProcess {
  signal(signal: NodeJS.Signals): void;
  /** Waits for the end of a run that is done; fails when it ended otherwise. */
  outcome(): Promise<Outcome>;
}

/** Loading TensorFlow.js on a busy machine is most of it. */
const LIFE_MS = 240_000;
/** Many lives, on a machine that is busy with other things: it ends what hangs, and measures nothing. */
export const CLAIM_MS = 600_000;
/** A watchdog gives its children five seconds; the rest is for a busy machine. */
const GONE_MS = 60_000;
const LOG_LINES = 25;

export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'cria-e2e-'));
  readonly run = new RunDirectory(join(this.folder, 'run'));
  /** What a run left behind that was compared with an undisturbed one. */
  readonly disturbed = new RunDirectory(join(this.folder, 'run-disturbed'));
  readonly points = new FaultPoints(join(this.folder, 'points'));
  readonly #lives: Life[] = [];
  readonly #onClear: Array<() => void> = [];
  readonly #others: Array<{ readonly what: string; readonly process: CriaProcess }> = [];

  /** `cria up --out run --threads 1 --json` and more flags. */
  up(flags: readonly string[], env: NodeJS.ProcessEnv = {}): Life {
    const args = ['up', '--out', this.run.path, '--threads', '1', '--json', ...flags];
    const points = { CRIA_FAULT_POINTS: this.points.folder };
    const started = startCria(args, { cwd: this.folder, env: { ...points, ...env } });
    const life: Life = {
      ...started,
      signal: (signal) => kill(started.pid, signal),
      outcome: async () => {
        const end = await started.ended;
        expect(end.code, '`cria up` ended with another exit code').toBe(0);
        return lastObject<Outcome>(end);
      },
    };
    this.#lives.push(life);
    return life;
  }

  /** A process of this stage that is no `cria up`: a failure tells what it said. */
  add(what: string, process: CriaProcess): CriaProcess {
    this.#others.push({ what, process });
    return process;
  }

  /** Any other command, from the stage's folder. */
  cria(...args: string[]): Promise<CriaEnd> {
    return runCria(args, { cwd: this.folder });
  }

  /** A command of the run under way; fails when the command does. */
  async wish(...args: string[]): Promise<void> {
    const { code, stderr } = await this.cria(...args, '--out', this.run.path);
    expect(code, stderr).toBe(0);
  }

  /** Waits for something that the newest life brings about; fails at once when that life has ended without it. */
  until<T>(what: string, look: () => Look<T> | Promise<Look<T>>): Promise<T> {
    const newest = this.#lives.at(-1);
    let hasEnded = false;
    let looksAfterwards = 0;
    void newest?.ended.then(() => (hasEnded = true));
    // Its last act may have been what is waited for, so there is one more look.
    const isHopeless = (): boolean => hasEnded && ++looksAfterwards > 1;
    return until(what, look, { timeoutMs: LIFE_MS, isHopeless });
  }

  /** Waits until so many steps are committed. */
  async committed(steps: number): Promise<void> {
    await this.until(`${steps} steps are committed`, () => this.run.steps() >= steps);
  }

  /** Waits until there is a checkpoint of `step`. */
  async checkpointed(step: number): Promise<void> {
    const isThere = async (): Promise<boolean> => (await this.run.checkpoints()).includes(step);
    await this.until(`there is a checkpoint of step ${step}`, isThere);
  }

  /** Arms a point and waits until a process stands there; its id. */
  async stoppedAt(point: PausePoint, step?: number): Promise<number> {
    this.points.arm(point, step);
    return this.until(`a process stands at ${point}`, () => this.points.standsAt(point));
  }

  /**
   * Does something while no step can be committed: a worker stands at its slot meanwhile, so that nothing depends on
   * who is faster, the run or the test.
   */
  async whileStepsWait<T>(act: () => T | Promise<T>): Promise<T> {
    const stands = await this.stoppedAt('computing');
    try {
      return await act();
    } finally {
      kill(stands, 'SIGCONT');
    }
  }

  /** What the run's leader says of it; null while nobody answers. */
  status(): Promise<Status | null> {
    return statusOf(this.run.path);
  }

  /** Waits until so many members share a step that is yet to come. */
  async whole(workers: number): Promise<void> {
    const from = this.run.steps();
    await this.until(`${workers} workers share a step again`, async () => {
      const status = await this.status();
      const members = status?.members.filter(({ role }) => role === 'member').length ?? 0;
      return members === workers && this.run.steps() > from;
    });
  }

  /** Process id of a child of `cria up`. */
  child(place: string): number {
    const pid = this.run.children().get(place);
    if (pid === undefined) throw new Error(`there is no ${place}`);
    return pid;
  }

  /** Waits until no process of this stage is left. */
  async empty(timeoutMs = GONE_MS): Promise<void> {
    const isEmpty = (): boolean => processesIn(this.folder).length === 0;
    await until('nobody is left', isEmpty, { timeoutMs }).catch((error: Error) => {
      throw new Error(`${error.message}; left: ${JSON.stringify(processesIn(this.folder))}`);
    });
  }

  /** The error with all that this stage's processes had to say. */
  explain(error: unknown): Error {
    const failure = error instanceof Error ? error : new Error(String(error));
    const said = this.#lives.map((life, i) => `--- cria up, life ${i + 1}\n${life.stderr().slice(-4000)}`);
    const others = this.#others.map(
      ({ what, process }) => `--- ${what}, pid ${process.pid}\n${process.stderr().slice(-4000)}`,
    );
    failure.message = [failure.message, ...said, ...others, this.run.logs(LOG_LINES)].join('\n');
    return failure;
  }

  /** Called before the stage is cleared. */
  whenCleared(act: () => void): void {
    this.#onClear.push(act);
  }

  clear(): void {
    for (const act of this.#onClear.splice(0)) act();
    killAllIn(this.folder);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** A test about processes: `act` on a stage of its own, after which nobody may be left. */
export function claim(title: string, act: (stage: Stage) => Promise<void>): void {
  // The test runner's own deadline would leave the processes alone.
  it(title, { timeout: 2 * CLAIM_MS }, async () => {
    const stage = await onStage(async (stage) => {
      await act(stage);
      await stage.empty();
    });
    stage.clear();
  });
}

/** A stage on which `act` has been done; when that fails nothing of it is left, and the error tells what was said. */
export async function onStage(
  act: (stage: Stage) => Promise<void>,
  timeoutMs: number = CLAIM_MS,
): Promise<Stage> {
  const stage = new Stage();
  const clear = (): void => stage.clear();
  process.once('exit', clear);
  const patience = new AbortController();
  try {
    await Promise.race([act(stage), deadline(timeoutMs, patience.signal)]);
    return stage;
  } catch (error) {
    const failure = stage.explain(error);
    stage.clear();
    throw failure;
  } finally {
    patience.abort();
    process.off('exit', clear);
  }
}

function deadline(timeoutMs: number, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs} ms`)), timeoutMs);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}
