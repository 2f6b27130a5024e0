// Why this machine's workers compute the way they do, one plain line a choice: what `cria doctor` prints.
import type { EngineProbe } from './probe.js';

export interface EngineChoice {
  readonly name: 'engine' | 'instruction set' | 'precision' | 'backend' | 'threads';
  readonly value: string;
  readonly why: string;
}

export interface EngineFacts {
  readonly kind: EngineProbe['kind'];
  readonly precision: EngineProbe['precision'];
  readonly backend: EngineProbe['backend'];
  /** How many an engine takes that was not told. */
  readonly threads: number;
  /** Of the native kernels, best first; empty when they are not there. */
  readonly instructionSets: readonly string[];
  /** Why the native engine was passed over; null when it was not, or nobody asked for it. */
  readonly nativeRefusal: string | null;
}

/** In the order in which they are made. */
export function explainEngine(facts: EngineFacts): EngineChoice[] {
  return facts.kind === 'native' ? nativeChoices(facts) : tfjsChoices(facts);
}

function nativeChoices({ precision, threads, instructionSets }: EngineFacts): EngineChoice[] {
  const [best, ...others] = instructionSets;
  const alternatives =
    others.length === 0
      ? 'the only one that works here'
      : `the best of this CPU (${instructionSets.join(', ')})`;
  return [
    { name: 'engine', value: 'native', why: 'the kernels are built and pass their self-test' },
    { name: 'instruction set', value: best ?? 'none', why: `${alternatives}; it changes no bit` },
    {
      name: 'precision',
      value: precision,
      why: instructionSets.includes('avx512bf16')
        ? 'this CPU multiplies bf16 natively, about twice as fast as f32'
        : 'this CPU has no avx512bf16, bf16 would be emulated and slower',
    },
    { name: 'backend', value: 'none', why: 'only the tfjs engine has backends' },
    {
      name: 'threads',
      value: String(threads),
      why: 'all cores, shared among the workers; they change no bit',
    },
  ];
}

function tfjsChoices({ precision, backend, threads, nativeRefusal }: EngineFacts): EngineChoice[] {
  const onTensorFlow = backend === 'tensorflow';
  const library = onTensorFlow ? 'TensorFlow' : backend;
  return [
    { name: 'engine', value: 'tfjs', why: nativeRefusal ?? 'it was asked for' },
    { name: 'instruction set', value: 'auto', why: `${library} chooses it` },
    { name: 'precision', value: precision, why: 'the tfjs engine has no other' },
    {
      name: 'backend',
      value: backend,
      why: onTensorFlow
        ? 'TensorFlow is set up'
        : 'TensorFlow is not set up, which is dozens of times faster: npx cria setup --tensorflow cpu',
    },
    onTensorFlow
      ? {
          name: 'threads',
          value: String(threads),
          why: "all cores, at most 8; they decide bits, so they are the run's",
        }
      : { name: 'threads', value: '1', why: `${backend} computes on one` },
  ];
}
