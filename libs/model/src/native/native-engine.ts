// The engine over the C++ kernels: weights, memory and threads, and the calls of `Engine`.
import { F32, BF16, requireAddon, selectInstructionSet } from '@cria/kernels/native';
import type { Dtype, InstructionSet, NativeContext } from '@cria/kernels/native';
import { assert, CriaError } from '@cria/runtime';
import type { LlamaConfig } from '../config/llama-config.js';
import { parameterLayout } from '../config/parameter-layout.js';
import type { ParameterLayout } from '../config/parameter-layout.js';
import type { EngineOptions } from '../engine/create-engine.js';
import { lossToBits } from '../engine/engine.js';
import type { Engine, GradientSink, SlotResult } from '../engine/engine.js';
import type { EngineFingerprint } from '../engine/fingerprint.js';
import { checkVocabulary, splitTokens } from '../engine/slot-tokens.js';
import { planActivations } from './activations.js';
import type { Activations } from './activations.js';
import { Arena } from './arena.js';
import { GradientBuckets } from './gradient-buckets.js';
import { KeyValueCache, planCachedLayers } from './key-value-cache.js';
import { backward, forward, nextTokenLogits, rowLosses } from './llama-passes.js';
import type { Batch, Llama } from './llama-passes.js';
import { createRotaryTable } from './rotary-table.js';
import { TensorPlanner } from './tensor.js';
import type { Tensor } from './tensor.js';
import { TensorOps } from './tensor-ops.js';
import { WeightStore } from './weights.js';

/** Raised whenever a change of layers or kernels can change a bit. */
const ARITHMETIC = 1;

/** A slot whose activations take more than this keeps only the stream and computes blocks again. */
const MOST_KEPT_BYTES = 768 * 2 ** 20;

export interface NativeEngineOptions extends EngineOptions {
  /** Left out: decided by size. It changes memory and time, never bits. */
  readonly recompute?: boolean;
}

/**
 * @throws ENGINE_UNAVAILABLE when the addon is missing or the device is not the CPU, CONFIG_INVALID for an instruction
 *   set that cannot be used here, OUT_OF_MEMORY
 */
export function createNativeEngine(options: NativeEngineOptions): Engine {
  if (options.device !== 'cpu') {
    throw new CriaError(
      'ENGINE_UNAVAILABLE',
      `the native engine has no ${options.device}; use --device cpu, or --engine tfjs for a GPU`,
    );
  }
  const instructionSet = selectInstructionSet(options.instructionSet);
  const { NativeContext } = requireAddon();
  return new NativeEngine(options, new NativeContext(instructionSet, options.threads), instructionSet);
}

class NativeEngine implements Engine {
  readonly fingerprint: EngineFingerprint;
  readonly layout: ParameterLayout;
  readonly description: string;
  readonly #context: NativeContext;
  readonly #config: LlamaConfig;
  readonly #operands: Dtype;
  readonly #sequenceLength: number;
  readonly #recompute: boolean | undefined;
  readonly #store: WeightStore;
  readonly #llama: Llama;
  readonly #slotMemory: Arena;
  readonly #decoding: Decoding;
  #buckets: GradientBuckets | null = null;
  #loaded = false;

  constructor(options: NativeEngineOptions, context: NativeContext, instructionSet: InstructionSet) {
    const { config, precision, threads } = options;
    this.fingerprint = {
      engine: 'native',
      arithmetic: ARITHMETIC,
      precision,
      deviceClass: 'cpu',
      libraries: {},
    };
    this.layout = parameterLayout(config);
    this.description = `native ${precision}, ${instructionSet}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    this.#context = context;
    this.#config = config;
    this.#operands = precision === 'bf16' ? BF16 : F32;
    this.#sequenceLength = options.sequenceLength;
    this.#recompute = options.recompute;
    this.#store = new WeightStore(context, config, this.layout, this.#operands);
    this.#llama = {
      ...{ config, ops: new TensorOps(context), weights: this.#store.weights },
      rotary: createRotaryTable(context, config),
    };
    this.#slotMemory = new Arena(context, 'the activations of a slot');
    this.#decoding = new Decoding(context, this.#llama, this.#operands);
  }

  async setParameters(params: Float32Array): Promise<void> {
    const { paddedSize } = this.layout;
    assert(params.length === paddedSize, `${params.length} parameters, ${paddedSize} expected`);
    this.#store.load(params);
    this.#decoding.cache.clear();
    this.#loaded = true;
  }

  async runSlot(tokens: Uint16Array, sequences: number, sink: GradientSink): Promise<SlotResult> {
    const batch = this.#batch(tokens, sequences);
    const losses = withMemory(() => {
      this.#buckets ??= new GradientBuckets(this.#context, this.#config, this.layout);
      const kept = this.#activations(batch.inputs.length);
      forward(this.#llama, kept, batch);
      return backward(this.#llama, kept, this.#buckets, batch, sink);
    });
    return { lossBits: lossToBits(meanOf(losses)) };
  }

  /** Sequence by sequence, so that evaluating takes no more memory than training. */
  async evaluate(tokens: Uint16Array, sequences: number): Promise<Float32Array> {
    const { inputs, targets } = this.#batch(tokens, sequences);
    const length = this.#sequenceLength;
    return Float32Array.from({ length: sequences }, (_, sequence) => {
      const [from, to] = [sequence * length, (sequence + 1) * length];
      const one = { inputs: inputs.subarray(from, to), targets: targets.subarray(from, to), sequences: 1 };
      return withMemory(() => {
        const kept = this.#activations(length);
        forward(this.#llama, kept, one);
        return meanOf(rowLosses(this.#llama, kept, one));
      });
    });
  }

  async logits(tokens: Uint16Array): Promise<Float32Array> {
    const { vocabSize, maxPositions } = this.#config;
    const { length } = tokens;
    assert(length >= 1 && length <= maxPositions, `1 to ${maxPositions} tokens, not ${length}`);
    assert(this.#loaded, 'setParameters comes before the first use');
    checkVocabulary(tokens, vocabSize);
    return withMemory(() => this.#decoding.logits(tokens));
  }

  async dispose(): Promise<void> {
    this.#context.dispose();
  }

  #batch(tokens: Uint16Array, sequences: number): Batch {
    assert(this.#loaded, 'setParameters comes before the first use');
    const { vocabSize } = this.#config;
    const split = splitTokens(tokens, { sequences, sequenceLength: this.#sequenceLength, vocabSize });
    return { ...split, sequences };
  }

  #activations(rows: number): Activations {
    const sizes = { config: this.#config, rows, operands: this.#operands };
    const kept = planActivations(0, { ...sizes, recompute: false }).sizeBytes;
    const recompute = this.#recompute ?? kept > MOST_KEPT_BYTES;
    return this.#slotMemory.place((base) => planActivations(base, { ...sizes, recompute }));
  }
}

/** Memory for generating text: a key/value cache, and the activations of the tokens that are new in a call. */
class Decoding {
  readonly cache: KeyValueCache;
  readonly #context: NativeContext;
  readonly #llama: Llama;
  readonly #operands: Dtype;
  readonly #memory: Arena;

  constructor(context: NativeContext, llama: Llama, operands: Dtype) {
    const cacheMemory = new Arena(context, 'the key/value cache');
    const layers = cacheMemory.place((base) => {
      const planner = new TensorPlanner(base);
      return { layers: planCachedLayers(planner, llama.config, operands), sizeBytes: planner.sizeBytes };
    });
    this.cache = new KeyValueCache(layers.layers);
    this.#context = context;
    this.#llama = llama;
    this.#operands = operands;
    this.#memory = new Arena(context, 'the activations of a prompt');
  }

  logits(tokens: Uint16Array): Float32Array {
    const { config } = this.#llama;
    const known = this.cache.advance(tokens);
    const rows = tokens.length - known;
    // One layer's activations serve all: nothing is kept for a backward pass.
    const sizes = { config: { ...config, layers: 1 }, rows, operands: this.#operands, recompute: true };
    const kept = this.#memory.place((base) => planActivations(base, sizes));
    const logits = new Float32Array(config.vocabSize);
    const address = this.#context.attach(logits);
    try {
      const logits_V: Tensor = { address, shape: [1, config.vocabSize], dtype: F32 };
      nextTokenLogits(this.#llama, { kept, cache: this.cache }, Int32Array.from(tokens), known, logits_V);
    } catch (error) {
      this.cache.clear();
      throw error;
    } finally {
      this.#context.release(address);
    }
    return logits;
  }
}

/** Added in row order in double precision, rounded once. */
function meanOf(losses: Float32Array): number {
  return Math.fround(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
}

/** Gives the kernels' own lack of memory the name and the remedy that users know. */
function withMemory<T>(compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'OUT_OF_MEMORY') || CriaError.is(error))
      throw error;
    const message =
      'no memory for the workspace of a kernel; use a smaller model or fewer sequences per slot';
    throw new CriaError('OUT_OF_MEMORY', message, { cause: error });
  }
}
