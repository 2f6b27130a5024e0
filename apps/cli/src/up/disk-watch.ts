// Tells of a disk that fills up while the run goes: whoever else would tell of it writes files on that disk.
import { statfsSync } from 'node:fs';
import { refusalOf } from '../run/out-dir.js';

/** With less than this left, writing is tried. */
const LOW_BYTES = 1 << 20;

export class DiskWatch {
  readonly #outDir: string;
  readonly #refusal: (outDir: string) => string | null;
  #told: string | null = null;

  /** @param refusal why nothing can be written there now (`ENOSPC`); null when it can */
  constructor(outDir: string, refusal: (outDir: string) => string | null = refusalWhenLow) {
    this.#outDir = outDir;
    this.#refusal = refusal;
  }

  /** A sentence for people when the disk has filled up, or takes data again; null when there is no news. */
  look(): string | null {
    const refusal = this.#refusal(this.#outDir);
    if (refusal === this.#told) return null;
    this.#told = refusal;
    if (refusal === null) return `the disk of ${this.#outDir} takes data again`;
    return `the disk of ${this.#outDir} is full (${refusal}): free space, or the run ends`;
  }
}

function refusalWhenLow(outDir: string): string | null {
  try {
    const { bavail, bsize } = statfsSync(outDir);
    return bavail * bsize < LOW_BYTES ? refusalOf(outDir) : null;
  } catch {
    // A file system that does not say how much is left is watched by whoever writes there.
    return null;
  }
}
