// Hits processes of a run of this machine at random and watches what it costs.
import { Rng, sleep, systemClock, systemCode } from '@cria/runtime';
import { chooseVictim, pauseBefore, type ChaosProcess, type ChaosTarget } from '../decide/chaos.js';
import { isAlive, readRunFile } from '../run/run-file.js';
import { CostMeter, type ChaosCost } from './chaos-cost.js';
import { processesOf } from './processes.js';

export interface ChaosRequest {
  readonly runDir: string;
  readonly everyMs: number;
  readonly targets: readonly ChaosTarget[];
  readonly kind: 'kill' | 'pause';
  /** How long a paused process stands still. */
  readonly pauseMs: number;
  readonly forMs: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

export interface ChaosReport extends ChaosCost {
  readonly seed: number;
  readonly seconds: number;
  readonly blows: number;
  readonly byTarget: Readonly<Record<ChaosTarget, number>>;
}

const LOOK_MS = 50;

/** Goes on for `forMs`, or until the run ends or the signal aborts; processes that it paused go on in any case. */
export async function chaos(request: ChaosRequest, signal: AbortSignal): Promise<ChaosReport> {
  return new Chaos(request).run(signal);
}

class Chaos {
  readonly #request: ChaosRequest;
  readonly #rng: Rng;
  readonly #meter: CostMeter;
  readonly #startMs = systemClock.monotonicMs();
  readonly #paused = new Map<number, number>();
  readonly #byTarget = { workers: 0, leader: 0, redis: 0 };

  constructor(request: ChaosRequest) {
    this.#request = request;
    this.#rng = new Rng(request.seed);
    this.#meter = new CostMeter(request.runDir);
  }

  async run(signal: AbortSignal): Promise<ChaosReport> {
    const { everyMs, forMs } = this.#request;
    let nextMs = this.#now() + pauseBefore(this.#rng, everyMs);
    try {
      while (!signal.aborted && this.#now() < forMs && this.#isRunning()) {
        if (this.#now() >= nextMs) {
          await this.#hit();
          nextMs = this.#now() + pauseBefore(this.#rng, everyMs);
        }
        this.#look();
        await sleep(systemClock, LOOK_MS, signal).catch(() => undefined);
      }
    } finally {
      this.#wake(Infinity);
    }
    return this.#report();
  }

  async #hit(): Promise<void> {
    const { runDir, targets, kind, say } = this.#request;
    const { step, processes } = await processesOf(runDir, targets);
    const free = processes.filter(({ pid }) => !this.#paused.has(pid));
    const victim = chooseVictim(this.#rng, targets, free);
    if (victim === null) return say(`${this.#clock()}  nobody to hit: the run is recovering`);
    if (!send(victim.pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP')) return;
    this.#byTarget[victim.target] += 1;
    if (kind === 'pause') this.#paused.set(victim.pid, this.#now() + this.#request.pauseMs);
    this.#meter.blow(this.#now());
    say(`${this.#clock()}  step ${step}: ${this.#describe(victim)}`);
  }

  #look(): void {
    this.#wake(this.#now());
    for (const waitMs of this.#meter.look(this.#now())) {
      this.#request.say(`${this.#clock()}  the next commit came after ${(waitMs / 1000).toFixed(2)} s`);
    }
  }

  #wake(untilMs: number): void {
    for (const [pid, wakeMs] of this.#paused) {
      if (wakeMs > untilMs) continue;
      this.#paused.delete(pid);
      send(pid, 'SIGCONT');
    }
  }

  #isRunning(): boolean {
    const file = readRunFile(this.#request.runDir);
    return file !== null && (file.phase === 'running' || file.phase === 'paused' || isAlive(file));
  }

  #report(): ChaosReport {
    const seconds = this.#now() / 1000;
    const blows = Object.values(this.#byTarget).reduce((a, b) => a + b);
    return { seed: this.#rng.seed, seconds, blows, byTarget: this.#byTarget, ...this.#meter.cost(seconds) };
  }

  #describe({ name, pid }: ChaosProcess): string {
    const { kind, pauseMs } = this.#request;
    return kind === 'kill'
      ? `killed ${name} (pid ${pid})`
      : `paused ${name} (pid ${pid}) for ${(pauseMs / 1000).toFixed(1)} s`;
  }

  #now(): number {
    return systemClock.monotonicMs() - this.#startMs;
  }

  #clock(): string {
    return `${(this.#now() / 1000).toFixed(1).padStart(7)} s`;
  }
}

/** False when the process has ended meanwhile. */
function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
    throw error;
  }
}
