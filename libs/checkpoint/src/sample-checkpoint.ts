// Small checkpoints for tests. The state of a step is a function of its number.
import { genesisPoint, pointAfter, seal, type LedgerEntry } from '@cria/ledger';
import { FakeClock, Rng } from '@cria/runtime';
import {
  CheckpointWriter,
  type BeginCheckpointOptions,
  type CheckpointFacts,
  type CommittedCheckpoint,
  type NamedBytes,
} from './checkpoint-writer.js';
import type { FlatLayout } from './flat-layout.js';
import type { CheckpointStore } from './store/checkpoint-store.js';
import { STATE_KINDS, type StateKind } from './tensor-files.js';

export const SAMPLE_RUN = 'run-7f';
export const SAMPLE_GENESIS = 'ab'.repeat(32);

/** Names out of order, padding behind each tensor, one tensor of a single element. */
export const sampleLayout: FlatLayout = {
  tensors: [
    { name: 'model.embed_tokens.weight', shape: [10, 6], offset: 0, size: 60 },
    { name: 'model.layers.10.mlp.weight', shape: [8, 4], offset: 64, size: 32 },
    { name: 'model.layers.2.mlp.weight', shape: [5, 5], offset: 96, size: 25 },
    { name: 'model.norm.weight', shape: [1], offset: 128, size: 1 },
  ],
  paddedSize: 160,
};

export const sampleFiles: readonly NamedBytes[] = [
  { name: 'config.json', bytes: Buffer.from('{"model_type":"llama"}\n') },
  { name: 'tokenizer.json', bytes: Buffer.from('{}\n') },
];

/** The flat array of one kind after `step` steps, padding 0. */
export function sampleState(kind: StateKind, step: number, layout = sampleLayout): Float32Array {
  const rng = new Rng(step, STATE_KINDS.indexOf(kind));
  const flat = new Float32Array(layout.paddedSize);
  for (const { offset, size } of layout.tensors) {
    for (let i = 0; i < size; i++) flat[offset + i] = rng.next() - 0.5;
  }
  return flat;
}

export function sampleLedger(count: number, leader = 'c1'): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  let head = genesisPoint(SAMPLE_RUN, SAMPLE_GENESIS);
  for (let step = 0; step < count; step++) {
    const digest = step.toString(16).padStart(16, '0');
    const math = {
      ...{ step, tokens: 128, lr: 0.5, stateDigest: digest, gradDigest: digest },
      ...{ gradNorm: 1, loss: 3, flagged: [], verdict: 'use' as const },
    };
    const entry = seal(head, math, {
      term: { number: 1, leader },
      attempt: step,
      members: [{ worker: 'w1', slots: [0] }],
      recomputed: [],
      desired: { revision: 1, target: 1, paused: false },
      wallMs: 1000 + step,
    });
    entries.push(entry);
    head = pointAfter(entry);
  }
  return entries;
}

export function sampleFacts(step: number, change: Partial<CheckpointFacts> = {}): CheckpointFacts {
  const ledger = sampleLedger(step);
  const last = ledger.at(-1);
  const head = last === undefined ? genesisPoint(SAMPLE_RUN, SAMPLE_GENESIS) : pointAfter(last);
  return {
    runId: SAMPLE_RUN,
    genesis: SAMPLE_GENESIS,
    tokens: 128 * step,
    mathHash: head.mathHash,
    opsHash: head.opsHash,
    stateDigest: step.toString(16).padStart(16, '0'),
    term: { number: 1, leader: 'c1' },
    members: ['w1', 'w2'],
    fingerprints: { engine: 'tfjs 1 f32 cpu', data: 'cd'.repeat(32), parent: null },
    config: { seed: 1337, optimizer: { eps: 1e-8 } },
    ledger,
    ...change,
  };
}

export function beginSample(
  store: CheckpointStore,
  step: number,
  change: Partial<BeginCheckpointOptions> = {},
): Promise<CheckpointWriter> {
  return CheckpointWriter.begin({
    store,
    step,
    layout: sampleLayout,
    files: sampleFiles,
    owner: '1-c1',
    clock: new FakeClock(1_700_000_000_000),
    ...change,
  });
}

export async function writeAll(writer: CheckpointWriter, step: number): Promise<void> {
  for (const kind of STATE_KINDS) await writer.writePart(kind, 0, sampleState(kind, step));
}

/** A whole checkpoint. */
export async function writeSample(
  store: CheckpointStore,
  step: number,
  change: { begin?: Partial<BeginCheckpointOptions>; facts?: Partial<CheckpointFacts> } = {},
): Promise<CommittedCheckpoint> {
  const writer = await beginSample(store, step, change.begin);
  try {
    await writeAll(writer, step);
    return await writer.commit(sampleFacts(step, change.facts));
  } finally {
    await writer.abort();
  }
}
