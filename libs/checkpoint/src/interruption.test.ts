// Writing a checkpoint is stopped at every single call to the file system, in two ways: the call fails
// (full disk) and the process goes on, or the process dies there. Older checkpoints must stay intact
// and nothing incomplete may look like a checkpoint.
import { readdir } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CriaError } from '@cria/runtime';
import { writeSample } from './sample-checkpoint.js';
import { DirectoryStore } from './store/directory-store.js';
import { nodeFileSystem, type FileSystem } from './store/file-system.js';
import { temporaryDirectory } from './temporary-directory.test-fixture.js';
import { newestVerified } from './retention.js';
import { verifyCheckpoint } from './verify.js';

/** Calls pass through; the one with number `failAt` fails, and with `dies` all later ones too. */
class FailingFileSystem {
  calls = 0;
  readonly #failAt: number;
  readonly #dies: boolean;

  constructor(failAt: number, { dies }: { dies: boolean }) {
    this.#failAt = failAt;
    this.#dies = dies;
  }

  get fileSystem(): FileSystem {
    const wrapped = Object.entries(nodeFileSystem).map(([name, call]) => [name, this.#guarded(call)]);
    return Object.fromEntries(wrapped) as FileSystem;
  }

  #guarded(call: unknown): unknown {
    return async (...args: unknown[]): Promise<unknown> => {
      this.#count();
      const result = await (call as (...args: unknown[]) => Promise<unknown>)(...args);
      return isHandle(result) ? this.#guardedHandle(result) : result;
    };
  }

  #guardedHandle(handle: FileHandle): FileHandle {
    return new Proxy(handle, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') return member;
        if (!['write', 'truncate', 'sync'].includes(String(key))) return member.bind(target) as unknown;
        return this.#guarded(member.bind(target));
      },
    });
  }

  #count(): void {
    this.calls++;
    const fails = this.#dies ? this.calls >= this.#failAt : this.calls === this.#failAt;
    if (fails) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }
}

const isHandle = (value: unknown): value is FileHandle =>
  typeof value === 'object' && value !== null && 'fd' in value;

async function callsOfAWholeWrite(): Promise<number> {
  const counting = new FailingFileSystem(Infinity, { dies: false });
  await writeSample(new DirectoryStore(await temporaryDirectory(), counting.fileSystem), 6);
  return counting.calls;
}

async function interruptedAt(
  call: number,
  options: { dies: boolean },
): Promise<{ store: DirectoryStore; outcome: unknown }> {
  const store = new DirectoryStore(await temporaryDirectory());
  await writeSample(store, 3);
  const failing = new FailingFileSystem(call, options).fileSystem;
  const outcome = await writeSample(new DirectoryStore(store.location, failing), 6).catch(
    (error: unknown) => error,
  );
  return { store, outcome };
}

/** Older ones verify; the new one is either wholly there or not there. */
async function checkSound(store: DirectoryStore): Promise<boolean> {
  expect(await verifyCheckpoint(store, 3)).toMatchObject({ ok: true });
  const steps = (await store.list()).filter((one) => one.complete).map((one) => one.step);
  expect([[3], [6, 3]]).toContainEqual(steps);
  if (steps.length === 2) expect(await verifyCheckpoint(store, 6)).toMatchObject({ ok: true });
  expect((await newestVerified(store)).rejected).toEqual([]);
  return steps.length === 2;
}

describe('a checkpoint whose writing is stopped at any call', () => {
  it('is reported with the remedy, removed, and harms no other, when the call fails', async () => {
    const calls = await callsOfAWholeWrite();
    expect(calls).toBeGreaterThan(30);
    let published = 0;
    for (let call = 1; call <= calls; call++) {
      const { store, outcome } = await interruptedAt(call, { dies: false });
      if (await checkSound(store)) published++;
      const names = await readdir(store.location);
      expect(names.filter((name) => name.includes('.'))).toEqual([]);
      if (!CriaError.is(outcome)) throw new Error(`call ${call} went unnoticed: ${String(outcome)}`);
      expect(outcome.code).toBe('STORAGE_FAILED');
      expect(outcome.message).toMatch(/ENOSPC; the disk is full: free space/);
    }
    // Only making the new name durable comes after the checkpoint exists.
    expect(published).toBeLessThanOrEqual(2);
  });

  it('is not there, harms no other, and can be written again, when the process dies', async () => {
    const calls = await callsOfAWholeWrite();
    for (let call = 1; call <= calls; call++) {
      const { store } = await interruptedAt(call, { dies: true });
      const wasPublished = await checkSound(store);
      expect(await writeSample(store, 6)).toMatchObject({ created: !wasPublished });
      expect(await verifyCheckpoint(store, 6)).toMatchObject({ ok: true });
      expect(await readdir(store.location)).toEqual(['step-00000003', 'step-00000006']);
    }
  });
});
