import { CriaError, unreachable } from '@cria/runtime';
import { validateLlamaConfig } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';
import type { BackendName } from '../tfjs/choose-backend.js';
import type { Engine } from './engine.js';

export interface EngineOptions {
  readonly kind: 'tfjs' | 'native';
  /** `cpu` or `cuda:N`. */
  readonly device: string;
  /** Compute threads, where the engine has a choice; on TensorFlow they decide bits and stand in the fingerprint. */
  readonly threads: number;
  readonly precision: 'f32' | 'bf16';
  readonly config: LlamaConfig;
  /** Tokens that each sequence of a slot is trained on; its token array has one more. */
  readonly sequenceLength: number;
  /** native only: `engine.instructionSet`; left out: auto. It changes speed, never bits. */
  readonly instructionSet?: string;
  /** tfjs only: this backend and no other. Left out: the best there is for the device. */
  readonly backend?: BackendName;
}

/**
 * Makes an engine; its libraries are loaded only now.
 *
 * @throws ENGINE_UNAVAILABLE when this machine lacks what it needs, with the remedy; CONFIG_INVALID for sizes that
 *   do not fit together
 */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  validateLlamaConfig(options.config);
  checkSequenceLength(options);
  switch (options.kind) {
    case 'tfjs': {
      const { createTfjsEngine } = await import('../tfjs/tfjs-engine.js');
      return createTfjsEngine(options);
    }
    case 'native': {
      const { createNativeEngine } = await import('../native/index.js');
      return createNativeEngine(options);
    }
    default:
      return unreachable(options.kind);
  }
}

function checkSequenceLength({ sequenceLength, config }: EngineOptions): void {
  if (Number.isSafeInteger(sequenceLength) && sequenceLength >= 1 && sequenceLength <= config.maxPositions)
    return;
  throw new CriaError(
    'CONFIG_INVALID',
    `budget.sequenceLength is ${sequenceLength}; it must be a whole number from 1 to model.maxPositions = ${config.maxPositions}`,
  );
}
