// A checkpoint that is being written, as a directory of its own (see directory-store.ts).
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert, systemCode } from '@cria/runtime';
import { MANIFEST_FILE } from '../checkpoint-name.js';
import type { ReadableFile, StagedCheckpoint, WritableFile } from './checkpoint-store.js';
import { readableFile, writeFully } from './file-access.js';
import type { FileSystem } from './file-system.js';
import { storageFailure } from './storage-failure.js';

export interface StagedDirectoryOptions {
  readonly fileSystem: FileSystem;
  /** Exists and is empty. */
  readonly directory: string;
  /** The name that `publish` gives it. */
  readonly target: string;
  /** Called when the directory is gone or has its final name. */
  readonly onEnd: () => void;
}

export class StagedDirectory implements StagedCheckpoint {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #target: string;
  readonly #onEnd: () => void;
  readonly #handles = new Map<string, FileHandle>();
  #sealed = false;
  #ended = false;

  constructor({ fileSystem, directory, target, onEnd }: StagedDirectoryOptions) {
    this.#fs = fileSystem;
    this.#directory = directory;
    this.#target = target;
    this.#onEnd = onEnd;
  }

  async create(name: string, sizeBytes: number): Promise<WritableFile> {
    assert(!this.#sealed && !name.includes('/'), `cannot create "${name}"`);
    const path = join(this.#directory, name);
    try {
      const handle = await this.#fs.open(path, 'wx');
      this.#handles.set(name, handle);
      await handle.truncate(sizeBytes);
    } catch (error) {
      throw storageFailure(`cannot create ${path}`, error);
    }
    return { write: (bytes, position) => this.#write(name, bytes, position) };
  }

  async #write(name: string, bytes: Uint8Array, position: number): Promise<void> {
    const handle = this.#handles.get(name);
    assert(handle !== undefined && !this.#sealed, `${name} is no longer written`);
    try {
      await writeFully(handle, bytes, position);
    } catch (error) {
      throw storageFailure(`cannot write ${join(this.#directory, name)}`, error);
    }
  }

  async seal(): Promise<void> {
    this.#sealed = true;
    try {
      for (const handle of this.#handles.values()) await handle.sync();
      await this.#closeAll();
    } catch (error) {
      throw storageFailure(`cannot make ${this.#directory} durable`, error);
    }
  }

  async open(name: string): Promise<ReadableFile> {
    assert(this.#sealed, 'a checkpoint is read back after seal()');
    const path = join(this.#directory, name);
    try {
      const handle = await this.#fs.open(path, 'r');
      return readableFile(handle, path, (await handle.stat()).size);
    } catch (error) {
      throw storageFailure(`cannot read back ${path}`, error);
    }
  }

  async publish(manifest: Uint8Array): Promise<'published' | 'taken'> {
    assert(this.#sealed && !this.#ended, 'a checkpoint is published after seal(), once');
    try {
      await this.#writeManifest(manifest);
      await this.#fs.rename(this.#directory, this.#target);
      this.#end();
      await syncDirectory(this.#fs, dirname(this.#target));
      return 'published';
    } catch (error) {
      if (['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) return 'taken';
      throw storageFailure(`cannot publish ${this.#target}`, error);
    }
  }

  async discard(): Promise<void> {
    if (this.#ended) return;
    this.#sealed = true;
    await this.#closeAll().catch(() => undefined); // what cannot be closed can still be removed
    await this.#fs.rm(this.#directory, { recursive: true, force: true }).catch(() => undefined); // a leftover is listed as incomplete
    this.#end();
  }

  async #writeManifest(manifest: Uint8Array): Promise<void> {
    const handle = await this.#fs.open(join(this.#directory, MANIFEST_FILE), 'w');
    try {
      await writeFully(handle, manifest, 0);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(this.#fs, this.#directory);
  }

  async #closeAll(): Promise<void> {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    const results = await Promise.allSettled(handles.map((handle) => handle.close()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #end(): void {
    this.#ended = true;
    this.#onEnd();
  }
}

/** Makes the names in a directory durable. */
export async function syncDirectory(fileSystem: FileSystem, path: string): Promise<void> {
  const handle = await fileSystem.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
