// Finds and loads the native addon: a prebuilt package for this platform first, then what `build-addon.mjs` built.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { CriaError } from '@cria/runtime';
import type { NativeContext } from './native-context.js';

/** Instruction sets of the CPU library, best first. */
export const INSTRUCTION_SETS = ['avx512bf16', 'avx512', 'avx2', 'portable'] as const;
export type InstructionSet = (typeof INSTRUCTION_SETS)[number];

/** What the shared library exports. */
export interface NativeAddon {
  /** Those that this CPU has and whose self-test gives the known hash, best first. */
  instructionSets(): InstructionSet[];
  /** Hash of an instruction set's self-test; 0n when this CPU cannot run it. */
  selfTest(instructionSet: InstructionSet): bigint;
  /** The hash that every instruction set must give. */
  expectedSelfTest(): bigint;
  readonly NativeContext: new (instructionSet: InstructionSet, threads: number) => NativeContext;
}

export type LoadedAddon =
  | { readonly kind: 'loaded'; readonly addon: NativeAddon; readonly file: string }
  | { readonly kind: 'missing'; readonly reason: string };

const require = createRequire(import.meta.url);
let cached: LoadedAddon | null = null;

/** Loads the addon once per thread; why it cannot be had is a value, not an exception. */
export function loadAddon(): LoadedAddon {
  cached ??= tryLoad();
  return cached;
}

/**
 * The addon.
 *
 * @throws ENGINE_UNAVAILABLE with the remedy when it is not there
 */
export function requireAddon(): NativeAddon {
  const loaded = loadAddon();
  if (loaded.kind === 'loaded') return loaded.addon;
  throw new CriaError('ENGINE_UNAVAILABLE', loaded.reason);
}

function tryLoad(): LoadedAddon {
  const file = addonFile();
  if (file === null) {
    return {
      kind: 'missing',
      reason: 'the native kernels are not built: run `cria setup` (needs a C++ compiler)',
    };
  }
  try {
    return { kind: 'loaded', addon: require(file) as NativeAddon, file };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      kind: 'missing',
      reason: `the native kernels cannot be loaded: ${why}; run \`cria setup\` again`,
    };
  }
}

function addonFile(): string | null {
  const prebuilt = `@cria/kernels-${process.platform}-${process.arch}/cria_kernels.node`;
  try {
    return require.resolve(prebuilt);
  } catch {
    // No prebuilt package for this platform is the usual case.
  }
  const built = fileURLToPath(new URL('../../build/Release/cria_kernels.node', import.meta.url));
  return existsSync(built) ? built : null;
}
