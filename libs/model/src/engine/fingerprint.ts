import type { BackendName } from '../tfjs/choose-backend.js';

/**
 * What decides an engine's bits. It is part of a run's genesis: a worker that cannot give it is refused. Threads and
 * instruction sets are left out wherever they provably change nothing.
 */
export interface EngineFingerprint {
  readonly engine: 'tfjs' | 'native';
  /** Version of the arithmetic: the order of operations. Raised whenever a change of code can change a bit. */
  readonly arithmetic: number;
  readonly precision: 'f32' | 'bf16';
  readonly deviceClass: 'cpu' | 'cuda';
  /** Everything else that computes: `{ backend: 'wasm-simd', 'tfjs-backend-wasm': '4.22.0' }`. */
  readonly libraries: Readonly<Record<string, string>>;
}

/** What a tfjs engine has to be started with so that it can have a fingerprint; nothing where there is no choice. */
export interface EngineDemands {
  readonly backend?: BackendName;
  /** Size of TensorFlow's thread pool, which decides how its products cut their sums. */
  readonly threads?: number;
}

/** Reads {@link fingerprintText}. */
export function demandsOf(text: string): EngineDemands {
  if (!text.startsWith('tfjs/')) return {};
  const [, backend] = / backend=(tensorflow|wasm|cpu)\b/.exec(text) ?? [];
  const [, threads] = / threads=(\d+)\b/.exec(text) ?? [];
  return {
    ...(backend === undefined ? {} : { backend: backend as BackendName }),
    ...(threads === undefined ? {} : { threads: Number(threads) }),
  };
}

/** One stable line, for the genesis and for messages: `tfjs/1 f32 cpu backend=wasm-simd tfjs-core=4.22.0`. */
export function fingerprintText(fingerprint: EngineFingerprint): string {
  const { engine, arithmetic, precision, deviceClass, libraries } = fingerprint;
  const pairs = Object.keys(libraries)
    .sort()
    .map((name) => `${name}=${libraries[name]}`);
  return [`${engine}/${arithmetic}`, precision, deviceClass, ...pairs].join(' ');
}
