// Loads a TensorFlow.js backend into this thread. tfjs-core keeps its state in globals, so all engines of a thread
// share it, and a tfjs-node that was installed elsewhere joins the same instance.
import { createRequire } from 'node:module';
import path from 'node:path';
import util from 'node:util';
import { backend, enableProdMode, env, setBackend, version_core } from '@tensorflow/tfjs-core';
import { CriaError } from '@cria/runtime';
import { chooseBackend, variantOf } from './choose-backend.js';
import type { BackendChoice, BackendName } from './choose-backend.js';
import { registerGradientRules } from './gradient-rules.js';
import { installedTensorFlow } from './installed-tensorflow.js';
import { selfTest } from './self-test.js';

export interface LoadedBackend {
  readonly name: BackendName;
  readonly deviceClass: 'cpu' | 'cuda';
  /** For humans: `wasm (SIMD)`. */
  readonly description: string;
  /** For the fingerprint: whatever decides bits. */
  readonly libraries: Readonly<Record<string, string>>;
  /** Whether matMul is as fast with transposes and batches as without; in wasm it is 14 times slower with them. */
  readonly generalMatMul: boolean;
  /** How many of the head's logits may exist at a time; it decides bits. */
  readonly chunkLogits: number;
}

/** 128 rows of GPT-2's vocabulary. */
const FEW_LOGITS = 2 ** 23;
/** 1,024 rows: each chunk more reads and writes the head's whole gradient once more. */
const MANY_LOGITS = 2 ** 26;

const TENSORFLOW_THREADS = 'TF_NUM_INTRAOP_THREADS';
const ONEDNN = 'TF_ENABLE_ONEDNN_OPTS';

/**
 * Chooses, loads and activates a backend.
 *
 * TensorFlow reads its settings from the process's environment: in a worker thread they take effect only when the
 * thread was started with `env: SHARE_ENV`.
 *
 * @throws ENGINE_UNAVAILABLE when none is there or it does not load
 */
export async function loadBackend(request: {
  device: string;
  threads: number;
  backend?: BackendName;
}): Promise<LoadedBackend> {
  const choice = chooseBackend(request, (packageName) => resolvePackage(packageName) !== null);
  enableProdMode(); // no banner and no advice on the console
  try {
    const loaded = await load(choice, request);
    registerGradientRules();
    return loaded;
  } catch (error) {
    if (CriaError.is(error)) throw error;
    throw new CriaError('ENGINE_UNAVAILABLE', doesNotLoad(choice, error), { cause: error });
  }
}

/** Makes the backend the one that the next operations run on. */
export async function activateBackend(name: BackendName): Promise<void> {
  if (!(await setBackend(name))) throw new Error(`the backend ${name} does not initialise`);
}

function doesNotLoad({ name, packageName, deviceClass }: BackendChoice, error: unknown): string {
  const [why] = String(error instanceof Error ? error.message : error).split('\n');
  const remedy =
    name === 'tensorflow'
      ? `\`cria setup --tensorflow remove\`, then \`cria setup --tensorflow ${variantOf(deviceClass)}\``
      : 'npm ci';
  return `${packageName} is installed but does not load (${why}): run ${remedy}`;
}

function load(choice: BackendChoice, request: { device: string; threads: number }): Promise<LoadedBackend> {
  switch (choice.name) {
    case 'tensorflow':
      return loadTensorflow(choice, request);
    case 'wasm':
      return loadWasm();
    case 'cpu':
      return loadPlain();
  }
}

async function loadWasm(): Promise<LoadedBackend> {
  const { setWasmPaths, version_wasm } = await import('@tensorflow/tfjs-backend-wasm');
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(`${path.dirname(entry)}${path.sep}`);
  await keepingProcessListeners(() => activateBackend('wasm'));
  const simd = (await env().getAsync('WASM_HAS_SIMD_SUPPORT')) === true;
  return {
    name: 'wasm',
    deviceClass: 'cpu',
    description: simd ? 'wasm (SIMD)' : 'wasm (no SIMD)',
    libraries: {
      backend: simd ? 'wasm-simd' : 'wasm',
      'tfjs-core': version_core,
      'tfjs-backend-wasm': version_wasm,
    },
    generalMatMul: false,
    chunkLogits: FEW_LOGITS,
  };
}

async function loadPlain(): Promise<LoadedBackend> {
  const { version_cpu } = await import('@tensorflow/tfjs-backend-cpu');
  await activateBackend('cpu');
  return {
    name: 'cpu',
    deviceClass: 'cpu',
    description: 'plain JavaScript',
    // Its exp and tanh are the JavaScript engine's own.
    libraries: {
      backend: 'cpu',
      'tfjs-core': version_core,
      'tfjs-backend-cpu': version_cpu,
      v8: process.versions.v8,
    },
    generalMatMul: true,
    chunkLogits: FEW_LOGITS,
  };
}

async function loadTensorflow(
  choice: BackendChoice,
  { device, threads }: { device: string; threads: number },
): Promise<LoadedBackend> {
  setEnvironment(choice, device, threads);
  const location = resolvePackage(choice.packageName);
  const loaded = createRequire(import.meta.url)(location ?? choice.packageName) as {
    version?: Record<string, string>;
  };
  await activateBackend('tensorflow');
  const { binding, isUsingGpuDevice } = backend() as unknown as {
    binding?: { TF_Version?: string };
    isUsingGpuDevice?: boolean;
  };
  if (choice.deviceClass === 'cuda' && isUsingGpuDevice !== true) throw noVisibleDevice(device);
  const onednn = process.env[ONEDNN] ?? '1';
  return {
    name: 'tensorflow',
    deviceClass: choice.deviceClass,
    description: `TensorFlow ${binding?.TF_Version ?? ''}`.trim(),
    libraries: {
      backend: 'tensorflow',
      'tfjs-core': version_core,
      'tfjs-node': loaded.version?.['tfjs-node'] ?? 'unknown',
      tensorflow: binding?.TF_Version ?? 'unknown',
      onednn,
      // oneDNN cuts long sums by the size of the pool on some processors: one hash for 1 to 4 threads on a Zen 4 with
      // AVX-512, different ones on a Zen 3 with AVX2. So the pool is the run's, not the worker's.
      threads: process.env[TENSORFLOW_THREADS] ?? 'default',
      selftest: selfTest(),
    },
    generalMatMul: true,
    chunkLogits: MANY_LOGITS,
  };
}

/** What TensorFlow reads once, when it is loaded. A variable that the user has set stays. */
function setEnvironment({ deviceClass }: BackendChoice, device: string, threads: number): void {
  const settings: Record<string, string> = {
    TF_CPP_MIN_LOG_LEVEL: '3',
    [TENSORFLOW_THREADS]: String(threads),
    TF_NUM_INTEROP_THREADS: '1',
    [ONEDNN]: '1',
    // Tensors from an arena that is kept: the system takes back each large one when it is freed, and new pages for the
    // next cost more than many an operation on it (soft-max of 512 x 50304: 145 ms of processor time, 55 in the arena).
    TF_CPU_ALLOCATOR_USE_BFC: 'true',
  };
  if (deviceClass === 'cuda') {
    settings['CUDA_VISIBLE_DEVICES'] = device.slice('cuda:'.length);
    settings['TF_DETERMINISTIC_OPS'] = '1'; // sums by atomics promise no order
  }
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
  // Node 23 removed what tfjs-node 4.22 calls.
  const old = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
  old.isNullOrUndefined ??= (value) => value === null || value === undefined;
}

function noVisibleDevice(device: string): CriaError {
  return new CriaError(
    'ENGINE_UNAVAILABLE',
    `TensorFlow for GPUs is installed but sees no ${device}: it needs an NVIDIA driver, CUDA 12 and cuDNN 9 ` +
      '(`nvidia-smi` lists what there is), or use --device cpu',
  );
}

/** Where a package is: in Cria's cache, seen from Cria, or from the directory it was started in; null: nowhere. */
function resolvePackage(packageName: string): string | null {
  const folder = installedTensorFlow(packageName, process.env);
  const cached = folder === null ? [] : [path.join(folder, 'package.json')];
  for (const from of [...cached, import.meta.url, path.join(process.cwd(), 'package.json')]) {
    try {
      return createRequire(from).resolve(packageName);
    } catch {
      continue;
    }
  }
  return null;
}

/**
 * Emscripten's loader adds handlers for uncaughtException and unhandledRejection that throw again. They would take
 * the place of the process's own, so what it added is taken away.
 */
async function keepingProcessListeners(load: () => Promise<void>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => process.listeners(event as 'uncaughtException'));
  await load();
  events.forEach((event, index) => {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!before[index].includes(listener)) process.removeListener(event, listener);
    }
  });
}
