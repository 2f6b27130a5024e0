// The engine of this process, made once over a tiny model: what `cria worker --probe` answers.
import { availableParallelism } from 'node:os';
import { loadAddon } from '@cria/kernels';
import { createEngine, demandsOf, fingerprintText, presetConfig, type EngineOptions } from '@cria/model';
import { CriaError } from '@cria/runtime';
import { explainEngine } from './explain.js';
import type { EngineProbe, ProbeRequest } from './probe.js';

/** Best first: `auto` takes the first that this machine has. */
const KINDS = ['native', 'tfjs'] as const;

/** Several workers share a machine's cores; more is the user's to say (`engine.threads`). */
const MOST_DEFAULT_THREADS = 8;

/** @throws CriaError ENGINE_UNAVAILABLE with the remedy when this machine lacks what was asked for */
export async function examineEngine(request: ProbeRequest): Promise<EngineProbe> {
  const { engine, precision } = request;
  const kinds = engine === 'auto' ? KINDS : [engine];
  const refusals: CriaError[] = [];
  for (const kind of kinds) {
    try {
      const facts = await examine(kind, precision === 'auto' ? precisionFor(kind) : precision, request);
      return { ...facts, choices: choicesOf(facts, request, refusals) };
    } catch (error) {
      if (!CriaError.is(error) || error.code !== 'ENGINE_UNAVAILABLE') throw error;
      refusals.push(error);
    }
  }
  const [only] = refusals;
  if (only !== undefined && refusals.length === 1) throw only;
  throw new CriaError('ENGINE_UNAVAILABLE', refusals.map(({ message }) => message).join('; '));
}

function choicesOf(
  facts: Omit<EngineProbe, 'choices'>,
  { threads = defaultThreads() }: ProbeRequest,
  [refusal]: readonly CriaError[],
): EngineProbe['choices'] {
  return explainEngine({
    ...facts,
    threads: facts.threads === 'auto' ? threads : facts.threads,
    instructionSets: instructionSets(),
    nativeRefusal: refusal?.message ?? null,
  });
}

function instructionSets(): readonly string[] {
  const loaded = loadAddon();
  return loaded.kind === 'loaded' ? loaded.addon.instructionSets() : [];
}

/** A pool that does not depend on the number of workers: a run's bits must not. */
function defaultThreads(): number {
  return Math.min(availableParallelism(), MOST_DEFAULT_THREADS);
}

/** bf16 where the CPU multiplies it natively, which is about twice as fast; it is emulated elsewhere, slower than f32. */
function precisionFor(kind: EngineOptions['kind']): EngineOptions['precision'] {
  if (kind !== 'native') return 'f32';
  return instructionSets()[0] === 'avx512bf16' ? 'bf16' : 'f32';
}

async function examine(
  kind: EngineOptions['kind'],
  precision: EngineOptions['precision'],
  { device, backend = 'auto', threads = defaultThreads() }: ProbeRequest,
): Promise<Omit<EngineProbe, 'choices'>> {
  const config = {
    ...presetConfig('quickstart'),
    hiddenSize: 8,
    intermediateSize: 8,
    layers: 1,
    heads: 2,
    kvHeads: 1,
  };
  const sequenceLength = Math.min(8, config.maxPositions);
  const engine = await createEngine({
    ...{ kind, precision, device, threads, config, sequenceLength },
    ...(backend === 'auto' ? {} : { backend }),
  });
  try {
    const fingerprint = fingerprintText(engine.fingerprint);
    const demands = demandsOf(fingerprint);
    return {
      kind,
      precision,
      backend: demands.backend ?? 'auto',
      threads: demands.threads ?? 'auto',
      fingerprint,
      description: engine.description,
    };
  } finally {
    await engine.dispose();
  }
}
