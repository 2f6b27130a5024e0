import { readdir, readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Rng } from '@cria/runtime';
import { beforeEach, describe, expect, it } from 'vitest';
import { CheckpointReader } from './checkpoint-reader.js';
import {
  beginSample,
  sampleFacts,
  sampleFiles,
  sampleLayout,
  sampleLedger,
  sampleState,
  writeSample,
} from './sample-checkpoint.js';
import { DirectoryStore } from './store/directory-store.js';
import { temporaryDirectory } from './temporary-directory.test-fixture.js';
import { STATE_KINDS } from './tensor-files.js';

let store: DirectoryStore;
let location: string;

beforeEach(async () => {
  location = await temporaryDirectory();
  store = new DirectoryStore(location);
});

const open = (step: number): Promise<CheckpointReader> =>
  CheckpointReader.open({ store, step, layout: sampleLayout });

const bytesOf = (step: string, name: string): Promise<Buffer> => readFile(join(location, step, name));

describe('a checkpoint', () => {
  it('holds the state bit for bit, whatever parts it came in', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const rng = new Rng(seed, 2);
      const writer = await beginSample(store, seed);
      const parts = STATE_KINDS.flatMap((kind) =>
        cutAtRandom(rng, sampleLayout.paddedSize).map((cut) => ({ kind, ...cut })),
      );
      parts.sort((a, b) => hashOrder(seed, a.from) - hashOrder(seed, b.from));
      await Promise.all(
        parts.map(({ kind, from, end }) =>
          writer.writePart(kind, from, sampleState(kind, seed).slice(from, end)),
        ),
      );
      await writer.commit(sampleFacts(seed));
      const reader = await open(seed);
      for (const kind of STATE_KINDS) {
        expect(await reader.readFlat(kind)).toEqual(sampleState(kind, seed));
        for (const { from, end } of cutAtRandom(rng, sampleLayout.paddedSize)) {
          const part = new Float32Array(end - from).fill(7);
          await reader.readPart(kind, from, part);
          expect(part).toEqual(sampleState(kind, seed).slice(from, end));
        }
      }
      await reader.close();
    }
  });

  it('is a Hugging Face directory with optimizer, trainer state, ledger and manifest beside the model', async () => {
    await writeSample(store, 3);
    expect(await readdir(join(location, 'step-00000003'))).toEqual([
      'config.json',
      'ledger.jsonl',
      'manifest.json',
      'model.safetensors',
      'optimizer.safetensors',
      'tokenizer.json',
      'trainer-state.json',
    ]);
    const model = await bytesOf('step-00000003', 'model.safetensors');
    expect(model.toString('latin1')).toContain('"__metadata__":{"format":"pt"}');
  });

  it('gives back the ledger, the trainer state and the small files', async () => {
    await writeSample(store, 5);
    const reader = await open(5);
    const entries = [];
    for await (const entry of reader.ledger()) entries.push(entry);
    expect(entries).toEqual(sampleLedger(5));
    expect(reader.trainerState).toMatchObject({
      step: 5,
      tokens: 640,
      config: { seed: 1337, optimizer: { eps: 1e-8 } },
    });
    expect(reader.manifest).toMatchObject({ step: 5, runId: 'run-7f', members: ['w1', 'w2'] });
    expect(await reader.readFile('config.json')).toEqual(new Uint8Array(sampleFiles[0]?.bytes ?? []));
    await reader.close();
  });

  it('has hashes that sha256sum gives too', async () => {
    const { manifest } = await writeSample(store, 2, { begin: { maxFileBytes: 200 } });
    const names = (await readdir(join(location, 'step-00000002'))).sort();
    const model = names.filter((name) => /^model.*\.safetensors$/.test(name));
    const optimizer = names.filter((name) => /^optimizer.*\.safetensors$/.test(name));
    expect(model.length).toBeGreaterThan(1);
    const sha256 = async (files: string[]): Promise<string> => {
      const hash = createHash('sha256');
      for (const name of files) hash.update(await bytesOf('step-00000002', name));
      return hash.digest('hex');
    };
    expect(manifest.modelSha256).toBe(await sha256(model));
    expect(manifest.stateSha256).toBe(await sha256([...model, ...optimizer, 'trainer-state.json']));
    for (const file of manifest.files) expect(file.sha256).toBe(await sha256([file.name]));
  });

  it('has state hashes that do not depend on who wrote it, when, and after what', async () => {
    const other = new DirectoryStore(await temporaryDirectory());
    const first = await writeSample(store, 4);
    const second = await writeSample(other, 4, {
      facts: {
        ...{ term: { number: 9, leader: 'c9' }, members: ['w7'] },
        config: { optimizer: { eps: 1e-8 }, seed: 1337 },
      },
    });
    expect(second.manifest.modelSha256).toBe(first.manifest.modelSha256);
    expect(second.manifest.stateSha256).toBe(first.manifest.stateSha256);
    expect(second.manifest).not.toEqual(first.manifest);
  });

  it('is split into indexed files above the limit and reads back the same', async () => {
    await writeSample(store, 2, { begin: { maxFileBytes: 200 } });
    const index = JSON.parse(
      (await bytesOf('step-00000002', 'model.safetensors.index.json')).toString(),
    ) as object;
    expect(index).toEqual({
      metadata: { total_parameters: 118, total_size: 472 },
      weight_map: {
        'model.embed_tokens.weight': 'model-00001-of-00003.safetensors',
        'model.layers.10.mlp.weight': 'model-00002-of-00003.safetensors',
        'model.layers.2.mlp.weight': 'model-00003-of-00003.safetensors',
        'model.norm.weight': 'model-00003-of-00003.safetensors',
      },
    });
    const reader = await open(2);
    for (const kind of STATE_KINDS) expect(await reader.readFlat(kind)).toEqual(sampleState(kind, 2));
    await reader.close();
  });

  it('can be that of step 0, with an empty ledger', async () => {
    await writeSample(store, 0);
    const reader = await open(0);
    for await (const entry of reader.ledger()) expect(entry).toBeUndefined();
    await reader.close();
  });

  it('is written from shared memory as well', async () => {
    const writer = await beginSample(store, 1);
    for (const kind of STATE_KINDS) {
      const shared = new Float32Array(new SharedArrayBuffer(4 * sampleLayout.paddedSize));
      shared.set(sampleState(kind, 1));
      await writer.writePart(kind, 0, shared);
    }
    await writer.commit(sampleFacts(1));
    const reader = await open(1);
    const out = new Float32Array(new SharedArrayBuffer(4 * sampleLayout.paddedSize));
    expect(await reader.readFlat('expAvg', out)).toBe(out);
    expect([...out]).toEqual([...sampleState('expAvg', 1)]);
    await reader.close();
  });
});

describe('the writer', () => {
  it('tells what is missing and refuses to finish without it', async () => {
    const writer = await beginSample(store, 1);
    await writer.writePart('params', 0, sampleState('params', 1));
    await writer.writePart('expAvg', 0, sampleState('expAvg', 1).subarray(0, 100));
    expect(writer.missing('params')).toEqual([]);
    expect(writer.missing('expAvg')).toEqual([{ from: 100, end: 160 }]);
    await expect(writer.commit(sampleFacts(1))).rejects.toThrow('expAvg [100, 160) never came');
    expect(await readdir(location)).toEqual([]);
  });

  it('refuses an element that comes twice', async () => {
    const writer = await beginSample(store, 1);
    const flat = sampleState('params', 1);
    await writer.writePart('params', 0, flat.subarray(0, 50));
    await expect(writer.writePart('params', 40, flat.subarray(40, 60))).rejects.toThrow(
      'params [40, 50) comes twice',
    );
    await writer.abort();
  });

  it('refuses padding that is not 0, and does not finish afterwards', async () => {
    const writer = await beginSample(store, 2);
    const flat = sampleState('params', 2);
    flat[62] = 1;
    await expect(writer.writePart('params', 0, flat)).rejects.toMatchObject({
      code: 'STATE_DAMAGED',
      context: { kind: 'params', element: 62 },
    });
    await expect(writer.commit(sampleFacts(2))).rejects.toMatchObject({ code: 'STATE_DAMAGED' });
    expect(await readdir(location)).toEqual([]);
  });

  it('refuses a ledger that does not lead to the given head', async () => {
    const wrong = [
      { ledger: sampleLedger(2) },
      { ledger: sampleLedger(4) },
      { ledger: sampleLedger(3, 'c2') },
      { ledger: sampleLedger(3).slice(1) },
      { mathHash: 'ee'.repeat(32) },
      { runId: 'another' },
    ];
    for (const facts of wrong) {
      await expect(writeSample(store, 3, { facts })).rejects.toMatchObject({ code: 'LEDGER_CORRUPT' });
    }
    expect(await store.list()).toEqual([]);
  });

  it('refuses to be used after its end', async () => {
    const writer = await beginSample(store, 1);
    await writer.abort();
    await writer.abort();
    await expect(writer.writePart('params', 0, new Float32Array(1))).rejects.toThrow(/no longer written/);
    await expect(writer.commit(sampleFacts(1))).rejects.toThrow(/no longer written/);
  });

  it('refuses small files with names of its own', async () => {
    for (const name of [
      'manifest.json',
      'ledger.jsonl',
      'model.safetensors',
      'optimizer.safetensors.index.json',
    ]) {
      await expect(beginSample(store, 1, { files: [{ name, bytes: new Uint8Array() }] })).rejects.toThrow(
        /is taken/,
      );
    }
  });
});

describe('a name that is taken', () => {
  it('is success when the same checkpoint is there, told in another story', async () => {
    const first = await writeSample(store, 3);
    const second = await writeSample(store, 3, {
      facts: { term: { number: 2, leader: 'c2' }, members: ['w9'] },
    });
    expect(second).toEqual({ manifest: first.manifest, created: false });
    expect(await readdir(location)).toEqual(['step-00000003']);
  });

  it('is a divergence when other mathematics is there, and that stays', async () => {
    const { manifest } = await writeSample(store, 3);
    await expect(writeSample(store, 3, { facts: { stateDigest: '0'.repeat(16) } })).rejects.toMatchObject({
      code: 'LEDGER_DIVERGED',
      context: { field: 'stateDigest', existing: manifest.stateDigest, ours: '0'.repeat(16) },
    });
    const reader = await open(3);
    expect(reader.manifest).toEqual(manifest);
    await reader.close();
    expect(await readdir(location)).toEqual(['step-00000003']);
  });
});

function cutAtRandom(rng: Rng, size: number): Array<{ from: number; end: number }> {
  const cuts: Array<{ from: number; end: number }> = [];
  for (let from = 0; from < size;) {
    const end = Math.min(size, from + 1 + rng.below(50));
    cuts.push({ from, end });
    from = end;
  }
  return cuts;
}

const hashOrder = (seed: number, value: number): number => new Rng(seed, value).nextUint32();
