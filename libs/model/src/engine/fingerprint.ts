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

/** The tfjs backend that computes; null for an engine of another kind. */
export function backendOf({ engine, libraries }: EngineFingerprint): BackendName | null {
  if (engine !== 'tfjs') return null;
  const { backend = '' } = libraries;
  return backend.startsWith('wasm') ? 'wasm' : (backend as BackendName);
}

/** One stable line, for the genesis and for messages: `tfjs/1 f32 cpu backend=wasm-simd tfjs-core=4.22.0`. */
export function fingerprintText(fingerprint: EngineFingerprint): string {
  const { engine, arithmetic, precision, deviceClass, libraries } = fingerprint;
  const pairs = Object.keys(libraries)
    .sort()
    .map((name) => `${name}=${libraries[name]}`);
  return [`${engine}/${arithmetic}`, precision, deviceClass, ...pairs].join(' ');
}
