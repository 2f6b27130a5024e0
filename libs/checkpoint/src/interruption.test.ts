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

/** Calls pass through, except that nothing is made durable (tests crash no machine); the one with number `failAt` fails, and with `dies` all later ones too. */
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
        return this.#guarded(key === 'sync' ? async () => undefined : member.bind(target));
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

const unfailing = (location: string): DirectoryStore =>
  new DirectoryStore(location, new FailingFileSystem(Infinity, { dies: false }).fileSystem);

async function callsOfAWholeWrite(): Promise<number> {
  const counting = new FailingFileSystem(Infinity, { dies: false });
  await writeSample(new DirectoryStore(await temporaryDirectory(), counting.fileSystem), 6);
  return counting.calls;
}

/** Writes the checkpoint of step 6 through a file system that fails; resolves to what came of it. */
function interruptedAt(call: number, location: string, options: { dies: boolean }): Promise<unknown> {
  const failing = new FailingFileSystem(call, options).fileSystem;
  return writeSample(new DirectoryStore(location, failing), 6).catch((error: unknown) => error);
}

/** The older one verifies; the new one is either wholly there or not there. True when it is there. */
async function checkSound(store: DirectoryStore): Promise<boolean> {
  expect(await verifyCheckpoint(store, 3)).toMatchObject({ ok: true });
  const steps = (await store.list()).filter((one) => one.complete).map((one) => one.step);
  expect([[3], [6, 3]]).toContainEqual(steps);
  expect(await newestVerified(store)).toMatchObject({ manifest: { step: steps[0] }, rejected: [] });
  return steps.length === 2;
}

async function removeNewest(store: DirectoryStore): Promise<void> {
  const [newest] = await store.list();
  if (newest !== undefined) await store.remove(newest);
}

describe('a checkpoint whose writing is stopped at any call', () => {
  it('is reported with the remedy, removed, and harms no other, when the call fails', async () => {
    const calls = await callsOfAWholeWrite();
    expect(calls).toBeGreaterThan(30);
    const store = unfailing(await temporaryDirectory());
    await writeSample(store, 3);
    let published = 0;
    for (let call = 1; call <= calls; call++) {
      const outcome = await interruptedAt(call, store.location, { dies: false });
      if (!CriaError.is(outcome)) throw new Error(`call ${call} went unnoticed: ${String(outcome)}`);
      expect(outcome.code).toBe('STORAGE_FAILED');
      expect(outcome.message).toMatch(/ENOSPC; the disk is full: free space/);
      const isThere = await checkSound(store);
      expect(await readdir(store.location)).toEqual(['step-00000003', ...(isThere ? ['step-00000006'] : [])]);
      if (!isThere) continue;
      published++;
      await removeNewest(store);
    }
    // Only making the new name durable comes after the checkpoint exists.
    expect(published).toBeLessThanOrEqual(2);
  });

  it('is not there, harms no other, and can be written again, when the process dies', async () => {
    const calls = await callsOfAWholeWrite();
    const store = unfailing(await temporaryDirectory());
    await writeSample(store, 3);
    for (let call = 1; call <= calls; call++) {
      await interruptedAt(call, store.location, { dies: true });
      const wasPublished = await checkSound(store);
      expect(await writeSample(store, 6)).toMatchObject({ created: !wasPublished });
      expect(await verifyCheckpoint(store, 6)).toMatchObject({ ok: true });
      expect(await readdir(store.location)).toEqual(['step-00000003', 'step-00000006']);
      await removeNewest(store);
    }
  });
});
