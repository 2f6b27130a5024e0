// TensorBoard's event files: `tensorboard --logdir runs/quickstart/tensorboard` shows a run without anything else. Every
// process writes a file of its own (readers follow the newest and never expect changed bytes), and a resumed run begins
// it with SessionLog.START, so that TensorBoard drops the abandoned tail.
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { AppendFile } from '../append-file.js';
import type { AppendOptions } from '../append-file.js';
import type { StepMetrics } from '../step-metrics.js';
import {
  RECORD_OVERHEAD_BYTES,
  record,
  scalarsEvent,
  sessionStartEvent,
  versionEvent,
} from './event-bytes.js';
import type { Scalar } from './event-bytes.js';

export interface TensorBoardOptions extends AppendOptions {
  /** The run's tensorboard/ directory. */
  readonly directory: string;
  /** When the process started, and who it is: together they name the file. */
  readonly startedWallMs: number;
  readonly host: string;
  readonly pid: number;
  /** Step from which a resumed run goes on; 0 for a new one. */
  readonly fromStep: number;
}

export class TensorBoardFile {
  readonly #file: AppendFile;

  private constructor(file: AppendFile) {
    this.#file = file;
  }

  /** @throws STORAGE_FAILED naming the path when it cannot be opened */
  static async open(options: TensorBoardOptions): Promise<TensorBoardFile> {
    const { directory, startedWallMs, host, pid, fromStep } = options;
    const seconds = String(Math.floor(startedWallMs / 1000)).padStart(10, '0');
    const path = join(directory, `events.out.tfevents.${seconds}.${host}.${pid}.0`);
    const file = await AppendFile.open(path, wholeRecords(), options);
    file.append(record(versionEvent(startedWallMs)));
    if (fromStep > 0) file.append(record(sessionStartEvent(startedWallMs, fromStep)));
    return new TensorBoardFile(file);
  }

  get path(): string {
    return this.#file.path;
  }

  /** Appends one step soon; what was not finite is NaN, which TensorBoard marks. Never throws. */
  append(row: StepMetrics): void {
    this.#file.append(record(scalarsEvent(row.wallMs, row.step, scalarsOf(row))));
  }

  flush(): Promise<void> {
    return this.#file.flush();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function scalarsOf(row: StepMetrics): Scalar[] {
  const values: ReadonlyArray<readonly [string, number | null | undefined]> = [
    ['train/loss', row.loss ?? NaN],
    ['validation/loss', row.valLoss === null ? NaN : row.valLoss],
    ['train/gradient_norm', row.gradNorm ?? NaN],
    ['train/learning_rate', row.lr],
    // float32 ends at 16.7 million whole tokens.
    ['train/million_tokens', row.tokens / 1e6],
    ['speed/tokens_per_second', row.tokensPerSecond],
    ['speed/step_ms', row.stepMs],
    ['speed/compute_ms', row.computeMs],
    ['speed/data_ms', row.dataMs],
    ['speed/exchange_ms', row.exchangeMs],
    ['speed/wait_ms', row.waitMs],
    ['speed/commit_ms', row.commitMs],
    ['speed/mfu', row.mfu],
    ['cluster/workers', row.workers],
    ['cluster/attempts', row.attempts],
    ['cluster/lost_ms', row.lostMs],
    ['cluster/bits_per_parameter', row.bitsPerParameter],
  ];
  return values.flatMap(([tag, value]) => (typeof value === 'number' ? [{ tag, value }] : []));
}

/**
 * Follows the lengths from record to record: only what a failed write left is behind the last whole one. What was found
 * whole once is not read again, for a disk may be full for a long time.
 */
function wholeRecords(): (handle: FileHandle) => Promise<number> {
  const length = Buffer.alloc(8);
  let whole = 0;
  return async (handle) => {
    const { size } = await handle.stat();
    while (whole + RECORD_OVERHEAD_BYTES <= size) {
      await handle.read(length, 0, 8, whole);
      const end = whole + RECORD_OVERHEAD_BYTES + Number(length.readBigUInt64LE());
      if (end > size) break;
      whole = end;
    }
    return whole;
  };
}
