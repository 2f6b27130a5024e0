// What every CheckpointStore has to do. Cases are plain functions, so that any test runner takes them:
//   for (const { claim, check } of checkpointStoreConformance) it(claim, () => check(makeStore()));
import { deepStrictEqual, rejects, strictEqual } from 'node:assert/strict';
import { readWhole } from '../verify.js';
import type { CheckpointStore, StagedCheckpoint } from './checkpoint-store.js';

export interface ConformanceCase {
  /** What the store does, in the present tense. */
  readonly claim: string;
  /** @param store empty; its directory or bucket may not exist yet */
  readonly check: (store: CheckpointStore) => Promise<void>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

async function stageSealed(
  store: CheckpointStore,
  { step, owner = 'c1', content = 'weights' }: { step: number; owner?: string; content?: string },
): Promise<StagedCheckpoint> {
  const staged = await store.stage(step, owner);
  const file = await staged.create('model.safetensors', content.length);
  await file.write(bytes(content), 0);
  await staged.seal();
  return staged;
}

async function publish(store: CheckpointStore, step: number, content?: string): Promise<void> {
  const staged = await stageSealed(store, { step, ...(content === undefined ? {} : { content }) });
  strictEqual(await staged.publish(bytes(`manifest ${step}`)), 'published');
}

async function textOf(store: CheckpointStore, step: number, file: string): Promise<string> {
  return Buffer.from(await readWhole(await store.open(step, file))).toString('utf8');
}

const completeSteps = async (store: CheckpointStore): Promise<number[]> =>
  (await store.list()).filter((one) => one.complete).map((one) => one.step);

const publishing: ConformanceCase[] = [
  {
    claim: 'shows a checkpoint only once it is published, with all its files',
    check: async (store) => {
      const staged = await stageSealed(store, { step: 50 });
      deepStrictEqual(await completeSteps(store), []);
      await rejects(store.open(50, 'model.safetensors'), { code: 'CHECKPOINT_MISSING' });
      strictEqual(await staged.publish(bytes('manifest')), 'published');
      deepStrictEqual(await completeSteps(store), [50]);
      strictEqual(await textOf(store, 50, 'model.safetensors'), 'weights');
      strictEqual(await textOf(store, 50, 'manifest.json'), 'manifest');
    },
  },
  {
    claim: 'writes by position in any order',
    check: async (store) => {
      const staged = await store.stage(1, 'c1');
      const file = await staged.create('data', 6);
      await file.write(bytes('def'), 3);
      await file.write(bytes('abc'), 0);
      await staged.seal();
      strictEqual(Buffer.from(await readWhole(await staged.open('data'))).toString(), 'abcdef');
      await staged.publish(bytes('manifest'));
      const found = await store.open(1, 'data');
      const middle = new Uint8Array(3);
      await found.read(middle, 2);
      strictEqual(Buffer.from(middle).toString(), 'cde');
      await rejects(found.read(middle, 4), { code: 'CHECKPOINT_CORRUPT' });
      await found.close();
    },
  },
  {
    claim: 'gives a name once: the second publisher is told, and changes nothing',
    check: async (store) => {
      await publish(store, 7, 'first');
      const second = await stageSealed(store, { step: 7, owner: 'c2', content: 'second' });
      strictEqual(await second.publish(bytes('other')), 'taken');
      await second.discard();
      strictEqual(await textOf(store, 7, 'model.safetensors'), 'first');
      strictEqual(await textOf(store, 7, 'manifest.json'), 'manifest 7');
      deepStrictEqual(
        (await store.list()).map((one) => one.complete),
        [true],
      );
    },
  },
  {
    claim: 'publishes one of two writers of a step, whichever comes first',
    check: async (store) => {
      for (let step = 0; step < 10; step++) {
        const first = await stageSealed(store, { step, owner: 'c1' });
        const results = await Promise.all([
          outcomeOf(first.publish(bytes('x'))),
          outcomeOf(stageSealed(store, { step, owner: 'c2' }).then((second) => second.publish(bytes('y')))),
        ]);
        strictEqual(results.filter((result) => result === 'published').length, 1);
      }
    },
  },
  {
    claim: 'gives a name again after what was there is set aside',
    check: async (store) => {
      await publish(store, 7, 'first');
      const second = await stageSealed(store, { step: 7, owner: 'c2', content: 'second' });
      strictEqual(await second.publish(bytes('m')), 'taken');
      await store.setAside(7);
      strictEqual(await second.publish(bytes('m')), 'published');
      strictEqual(await textOf(store, 7, 'model.safetensors'), 'second');
      deepStrictEqual(
        (await store.list()).map((one) => [one.step, one.complete]),
        [
          [7, true],
          [7, false],
        ],
      );
    },
  },
];

/** A writer whose leftovers another one removed fails; that is no error here. */
function outcomeOf(publishing: Promise<'published' | 'taken'>): Promise<string> {
  return publishing.catch(() => 'failed');
}

const keeping: ConformanceCase[] = [
  {
    claim: 'lists the newest first',
    check: async (store) => {
      for (const step of [50, 200, 100]) await publish(store, step);
      deepStrictEqual(await completeSteps(store), [200, 100, 50]);
    },
  },
  {
    claim: 'lists nothing before anything was written',
    check: async (store) => deepStrictEqual(await store.list(), []),
  },
  {
    claim: 'leaves nothing of a discarded checkpoint, before and after it is sealed',
    check: async (store) => {
      const early = await store.stage(1, 'c1');
      await early.create('data', 100);
      await early.discard();
      await early.discard();
      const late = await stageSealed(store, { step: 2 });
      await late.discard();
      deepStrictEqual(await store.list(), []);
    },
  },
  {
    claim: 'removes a checkpoint and keeps the others',
    check: async (store) => {
      for (const step of [1, 2, 3]) await publish(store, step);
      const victim = (await store.list()).find((one) => one.step === 2);
      if (victim !== undefined) await store.remove(victim);
      deepStrictEqual(await completeSteps(store), [3, 1]);
    },
  },
  {
    claim: 'says that a file or a checkpoint is missing',
    check: async (store) => {
      await publish(store, 1);
      await rejects(store.open(1, 'nothing.json'), { code: 'CHECKPOINT_MISSING' });
      await rejects(store.open(2, 'manifest.json'), { code: 'CHECKPOINT_MISSING' });
    },
  },
  {
    claim: 'belongs to the first run that claims it',
    check: async (store) => {
      strictEqual(await store.owner(), null);
      await store.claim('run-a');
      await store.claim('run-a');
      strictEqual(await store.owner(), 'run-a');
      await rejects(store.claim('run-b'), { code: 'RUN_MISMATCH' });
      strictEqual(await store.owner(), 'run-a');
    },
  },
  {
    claim: 'lets all coordinators of a run claim it at the same moment',
    check: async (store) => {
      await Promise.all(Array.from({ length: 8 }, () => store.claim('run-a')));
      strictEqual(await store.owner(), 'run-a');
    },
  },
  {
    claim: 'belongs to one of two runs that claim it at the same moment',
    check: async (store) => {
      const claims = await Promise.allSettled([store.claim('run-a'), store.claim('run-b')]);
      strictEqual(claims.filter((result) => result.status === 'fulfilled').length, 1);
    },
  },
];

export const checkpointStoreConformance: readonly ConformanceCase[] = [...publishing, ...keeping];
