// Arms the named points of libs/runtime's fault-points.ts in the processes of a stage.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isStopped } from './processes.js';

/** Where a process can be made to stand still. */
export type PausePoint =
  | 'lease-taken'
  | 'computing'
  | 'mid-slot'
  | 'exchanging'
  | 'reduce-scatter'
  | 'all-gather'
  | 'prepared'
  | 'appended'
  | 'applying'
  | 'checkpointing'
  | 'storing'
  | 'joining'
  | 'donating';

/** What can be made to go wrong, once. */
export type FaultPoint =
  | 'flip-accumulator'
  | 'flip-parameter'
  | 'flip-frame-reduce-scatter'
  | 'flip-frame-all-gather'
  | 'flip-frame-donating';

export class FaultPoints {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  /** The first process that comes to the point (at this step, or at any) takes it. */
  arm(point: PausePoint | FaultPoint, step?: number): void {
    this.disarm(point);
    writeFileSync(join(this.folder, step === undefined ? point : `${point}@${step}`), '');
  }

  /** Everybody who computes this slot gets a gradient that is not finite. */
  poison(step: number, slot: number): void {
    writeFileSync(join(this.folder, `nan-in-slot-${slot}@${step}`), '');
  }

  /** Whoever has taken the point; null while nobody has. */
  takenBy(point: PausePoint | FaultPoint): number | null {
    const taken = readdirSync(this.folder).find((name) => name.startsWith(`${point}.taken-`));
    return taken === undefined ? null : Number(taken.slice(`${point}.taken-`.length));
  }

  /** Whoever stands still at the point; null while nobody does. It takes the point before it stops. */
  standsAt(point: PausePoint): number | null {
    const pid = this.takenBy(point);
    return pid !== null && isStopped(pid) ? pid : null;
  }

  disarm(point: PausePoint | FaultPoint): void {
    for (const name of readdirSync(this.folder)) {
      if (/^[^@.]+/.exec(name)?.[0] === point) rmSync(join(this.folder, name), { force: true });
    }
  }
}
