// Checkpoints in one directory that every coordinator sees. A checkpoint is written into a directory
// of another name (step-00000050.writing-<owner>), complete with its manifest, and then renamed: the
// system refuses to rename onto a directory that is not empty, so the rename is both the moment at
// which the checkpoint begins to exist and "put if absent". A writer that sleeps and wakes up finds
// its directory gone, or the name taken; it can never change a file under a published manifest.
import { basename, dirname, join, resolve } from 'node:path';
import { assert, CriaError, randomId, systemCode } from '@cria/runtime';
import { checkpointName, MANIFEST_FILE, parseCheckpointName } from '../checkpoint-name.js';
import type {
  CheckpointStore,
  ReadableFile,
  StagedCheckpoint,
  StoredCheckpoint,
} from './checkpoint-store.js';
import { readableFile } from './file-access.js';
import { nodeFileSystem, type FileSystem } from './file-system.js';
import { StagedDirectory, syncDirectory } from './staged-directory.js';
import { storageFailure } from './storage-failure.js';

/** Proves that two coordinators see the same directory, and that it is this run's. */
const OWNER_FILE = 'cria-store.json';
const WRITING = '.writing-';
const SET_ASIDE = '.aside-';
const REMOVED = '.removed';

export class DirectoryStore implements CheckpointStore {
  readonly location: string;
  readonly #fs: FileSystem;
  /** Names that this process is writing under: they are not leftovers. */
  readonly #writing = new Set<string>();

  /** @param path is made when a run claims it */
  constructor(path: string, fileSystem: FileSystem = nodeFileSystem) {
    this.location = path;
    this.#fs = fileSystem;
  }

  /**
   * The store and step of a checkpoint's own path, such as runs/quickstart/checkpoints/step-00000200.
   *
   * @throws CriaError USAGE when the last part of the path is not a checkpoint's name
   */
  static locate(checkpointPath: string): { readonly store: DirectoryStore; readonly step: number } {
    const path = resolve(checkpointPath);
    const parsed = parseCheckpointName(basename(path));
    if (parsed === null || parsed.suffix !== '') {
      throw new CriaError(
        'USAGE',
        `${checkpointPath} is not a checkpoint; name a directory such as .../step-00000200`,
      );
    }
    return { store: new DirectoryStore(dirname(path)), step: parsed.step };
  }

  async list(): Promise<readonly StoredCheckpoint[]> {
    const names = await this.#namesIn('.');
    const stored: StoredCheckpoint[] = [];
    for (const name of names) {
      const parsed = parseCheckpointName(name);
      if (parsed === null || this.#writing.has(name)) continue;
      const complete = parsed.suffix === '' && (await this.#namesIn(name)).includes(MANIFEST_FILE);
      stored.push({ step: parsed.step, name, complete });
    }
    return stored.sort((a, b) => b.step - a.step || (a.name < b.name ? -1 : 1));
  }

  async open(step: number, file: string): Promise<ReadableFile> {
    assert(!file.includes('/'), `"${file}" is not a file name`);
    const path = this.#path(checkpointName(step), file);
    try {
      const handle = await this.#fs.open(path, 'r');
      return readableFile(handle, path, (await handle.stat()).size);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw storageFailure(`cannot open ${path}`, error);
      throw new CriaError('CHECKPOINT_MISSING', `${path} is missing`, { context: { path }, cause: error });
    }
  }

  async stage(step: number, owner: string): Promise<StagedCheckpoint> {
    assert(/^[A-Za-z0-9.-]+$/.test(owner), `"${owner}" cannot be part of a directory name`);
    const name = `${checkpointName(step)}${WRITING}${owner}`;
    try {
      await this.#fs.mkdir(this.location, { recursive: true });
      for (const leftover of await this.#namesIn('.')) {
        if (leftover.startsWith(`${checkpointName(step)}${WRITING}`)) await this.#erase(leftover);
      }
      await this.#fs.mkdir(this.#path(name));
    } catch (error) {
      throw storageFailure(`cannot begin a checkpoint in ${this.location}`, error);
    }
    this.#writing.add(name);
    return new StagedDirectory({
      fileSystem: this.#fs,
      directory: this.#path(name),
      target: this.#path(checkpointName(step)),
      onEnd: () => this.#writing.delete(name),
    });
  }

  async setAside(step: number): Promise<void> {
    const name = checkpointName(step);
    const taken = await this.#namesIn('.');
    let number = 1;
    while (taken.includes(`${name}${SET_ASIDE}${number}`)) number++;
    await this.#attempt(`cannot set ${name} aside`, () =>
      this.#fs.rename(this.#path(name), this.#path(`${name}${SET_ASIDE}${number}`)),
    );
  }

  async remove({ name }: StoredCheckpoint): Promise<void> {
    assert(parseCheckpointName(name) !== null, `"${name}" is not a checkpoint`);
    await this.#attempt(`cannot remove ${this.#path(name)}`, () => this.#erase(name));
  }

  async owner(): Promise<string | null> {
    const path = this.#path(OWNER_FILE);
    let text: string;
    try {
      text = await this.#fs.readFile(path, 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw storageFailure(`cannot read ${path}`, error);
    }
    return ownerIn(text, path);
  }

  async claim(runId: string): Promise<void> {
    // Who comes back on a full disk need not write what stands there.
    if ((await this.owner()) === null) {
      await this.#attempt(`cannot claim ${this.location}`, () => this.#writeOwner(runId));
    }
    const owner = await this.owner();
    if (owner === runId) return;
    throw new CriaError(
      'RUN_MISMATCH',
      `${this.location} holds the checkpoints of run ${owner}, not of ${runId}; choose another checkpoint.store, or --resume that run`,
      { context: { location: this.location, owner, runId } },
    );
  }

  /** Of several that write at once one does. */
  async #writeOwner(runId: string): Promise<void> {
    const path = this.#path(OWNER_FILE);
    const draft = `${path}.${randomId()}`;
    await this.#fs.mkdir(this.location, { recursive: true });
    try {
      await this.#fs.writeFile(draft, `${JSON.stringify({ version: 1, runId })}\n`, { flush: true });
      // A link, unlike a rename, does not replace what is there.
      await this.#fs.link(draft, path).catch((error: unknown) => {
        if (systemCode(error) !== 'EEXIST') throw error;
      });
    } finally {
      await this.#fs.rm(draft, { force: true });
    }
    await syncDirectory(this.#fs, this.location);
  }

  #path(...names: string[]): string {
    return join(this.location, ...names);
  }

  /** Empty for a directory that is not there. */
  async #namesIn(name: string): Promise<string[]> {
    try {
      return await this.#fs.readdir(this.#path(name));
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
      throw storageFailure(`cannot list ${this.#path(name)}`, error);
    }
  }

  /** Renamed first: a directory that is half removed must not look like a checkpoint. */
  async #erase(name: string): Promise<void> {
    const doomed = name.endsWith(REMOVED) ? name : `${name}${REMOVED}`;
    if (doomed !== name) {
      await this.#fs.rm(this.#path(doomed), { recursive: true, force: true });
      await this.#fs.rename(this.#path(name), this.#path(doomed));
    }
    await this.#fs.rm(this.#path(doomed), { recursive: true, force: true });
  }

  async #attempt(what: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      throw storageFailure(what, error);
    }
  }
}

function ownerIn(text: string, path: string): string {
  try {
    const { runId } = JSON.parse(text) as { runId?: unknown };
    if (typeof runId === 'string') return runId;
  } catch {
    // Reported below, like every other content that is not an owner.
  }
  throw new CriaError('CHECKPOINT_CORRUPT', `${path} does not name a run; remove it if the store is yours`, {
    context: { path },
  });
}
