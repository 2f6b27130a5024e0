// A directory that appears under its name complete or not at all: it is filled beside its place and renamed into it.
// What a killed process left behind is recognised by host and process id and removed by the next one.
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { CriaError, randomId, systemCode } from '@cria/runtime';

export class StagingDirectory {
  /** Where to write. */
  readonly path: string;
  readonly #target: string;

  private constructor(path: string, target: string) {
    this.path = path;
    this.#target = target;
  }

  /** Makes `<target>.partial-<host>-<pid>-<id>` and removes such directories of processes that have died here. */
  static async create(target: string): Promise<StagingDirectory> {
    await mkdir(dirname(target), { recursive: true });
    await removeLeftovers(target);
    const path = `${prefixOf(target)}${process.pid}-${randomId(4)}`;
    await mkdir(path);
    return new StagingDirectory(path, target);
  }

  /**
   * Puts the directory into its place. Its files have to be synced already.
   *
   * Errors: RUN_EXISTS when something other than an empty directory is there.
   */
  async commit(): Promise<void> {
    await syncDirectory(this.path);
    try {
      await rename(this.path, this.#target); // succeeds over an empty directory
    } catch (cause) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(systemCode(cause) ?? '')) throw cause;
      throw occupied(this.#target, cause);
    }
    await syncDirectory(dirname(this.#target));
  }

  /** Removes the directory; harmless after `commit`. */
  async discard(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** The refusal to write over something. */
export function occupied(target: string, cause?: unknown): CriaError {
  return new CriaError('RUN_EXISTS', `${target} is not empty; choose another --out or delete it first.`, {
    cause,
  });
}

function prefixOf(target: string): string {
  return `${target}.partial-${hostname()}-`;
}

async function removeLeftovers(target: string): Promise<void> {
  const prefix = basename(prefixOf(target));
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number.parseInt(name.slice(prefix.length), 10);
    if (!isAlive(pid)) await rm(join(dirname(target), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Makes the names in a directory durable. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
