// The Llama in TensorFlow.js ops with its automatic differentiation: the portable engine, and the oracle that the
// native one is tested against. Only the two ends, where the vocabulary makes tensors large, have gradients of our
// own: the head (head-loss.ts) and the embedding lookup, whose rows are added up on the host (add-rows.ts).
import {
  dispose,
  gather,
  keep,
  slice,
  tensor1d,
  tensor2d,
  tensor4d,
  tidy,
  valueAndGrads,
} from '@tensorflow/tfjs-core';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { assert, CriaError, present } from '@cria/runtime';
import { headSize } from '../config/llama-config.js';
import type { LlamaConfig } from '../config/llama-config.js';
import { parameterLayout } from '../config/parameter-layout.js';
import type { ParameterLayout } from '../config/parameter-layout.js';
import type { EngineOptions } from '../engine/create-engine.js';
import { lossToBits } from '../engine/engine.js';
import type { Engine, GradientSink, SlotResult } from '../engine/engine.js';
import type { EngineFingerprint } from '../engine/fingerprint.js';
import { checkVocabulary, splitTokens } from '../engine/slot-tokens.js';
import type { InputsAndTargets } from '../engine/slot-tokens.js';
import { causalMask } from './attention.js';
import type { AttentionContext } from './attention.js';
import { decode } from './decoder.js';
import { uploadWeights } from './device-weights.js';
import type { DeviceWeights } from './device-weights.js';
import { emitGradient, gradientScratch } from './emit-gradient.js';
import type { GradientScratch } from './emit-gradient.js';
import { headLoss, headLosses, meanLoss } from './head-loss.js';
import type { HeadInputs, HeadOutputs } from './head-loss.js';
import { pageAligned } from './host-copy.js';
import { timesWeight } from './linear.js';
import { activateBackend, loadBackend } from './load-backend.js';
import type { LoadedBackend } from './load-backend.js';
import { generalProducts, plainProducts } from './matrix-products.js';
import type { MatrixProducts } from './matrix-products.js';
import { rotaryTables } from './rotary.js';
import type { RotaryTensors } from './rotary.js';

/** Raised whenever the order of operations here changes. */
const ARITHMETIC = 3;

/** Loads the backend and makes an engine on it. Throws ENGINE_UNAVAILABLE as `loadBackend` does. */
export async function createTfjsEngine(options: EngineOptions): Promise<Engine> {
  if (options.precision !== 'f32') {
    throw new CriaError(
      'ENGINE_UNAVAILABLE',
      `the tfjs engine has no ${options.precision}; set engine.precision: f32`,
    );
  }
  return new TfjsEngine(await loadBackend(options), options.config, options.sequenceLength);
}

class TfjsEngine implements Engine {
  readonly fingerprint: EngineFingerprint;
  readonly layout: ParameterLayout;
  readonly description: string;
  readonly #backend: LoadedBackend;
  readonly #config: LlamaConfig;
  readonly #sequenceLength: number;
  readonly #products: MatrixProducts;
  #weights: DeviceWeights | null = null;
  /** What the weights on the device may lie on. The master weights themselves change under an engine. */
  #hostCopy: Float32Array | null = null;
  #scratch: GradientScratch | null = null;
  /** Of one sequence of a slot's length; all that depends on positions alone. */
  #tables: AttentionTables | null = null;

  constructor(backend: LoadedBackend, config: LlamaConfig, sequenceLength: number) {
    this.fingerprint = {
      engine: 'tfjs',
      arithmetic: ARITHMETIC,
      precision: 'f32',
      deviceClass: backend.deviceClass,
      libraries: backend.libraries,
    };
    this.layout = parameterLayout(config);
    this.description = `tfjs ${backend.description}`;
    this.#backend = backend;
    this.#config = config;
    this.#sequenceLength = sequenceLength;
    this.#products = backend.generalMatMul ? generalProducts : plainProducts;
  }

  async setParameters(params: Float32Array): Promise<void> {
    assert(
      params.length === this.layout.paddedSize,
      `${params.length} parameters, ${this.layout.paddedSize} expected`,
    );
    await activateBackend(this.#backend.name);
    this.#weights?.dispose();
    this.#hostCopy ??= pageAligned(params.length);
    this.#hostCopy.set(params);
    const transposes = this.#backend.generalMatMul ? 'head' : 'all';
    this.#weights = uploadWeights(this.#config, this.layout, this.#hostCopy, transposes);
  }

  async runSlot(tokens: Uint16Array, sequences: number, sink: GradientSink): Promise<SlotResult> {
    const slot = this.#split(tokens, sequences);
    const weights = await this.#ready();
    const scratch = (this.#scratch ??= gradientScratch(this.layout));
    const head: HeadOutputs = { losses: new Float32Array(0), weightGradient: scratch.vocabulary };
    tidy(() => {
      const context = this.#trainingContext(sequences);
      const embedded = embed(weights, slot.inputs);
      const forward = (): Tensor => {
        return headLoss(this.#headInputs(weights, slot), decode(context, weights.decoder, embedded), head);
      };
      const { grads } = valueAndGrads(forward)([embedded, ...weights.decoderTensors]);
      const [dEmbedded, ...decoder] = grads;
      const embeddedGradient = dEmbedded.dataSync<'float32'>();
      const pieces = { decoder, embedded: embeddedGradient, inputs: slot.inputs };
      emitGradient(this.layout, pieces, scratch, sink);
    });
    return { lossBits: lossToBits(meanLoss(head.losses)) };
  }

  /** Sequence by sequence: what a sequence's loss is must not depend on which others it is evaluated with. */
  async evaluate(tokens: Uint16Array, sequences: number): Promise<Float32Array> {
    const { inputs, targets } = this.#split(tokens, sequences);
    const weights = await this.#ready();
    const length = this.#sequenceLength;
    return Float32Array.from({ length: sequences }, (_, sequence) =>
      tidy(() => {
        const [from, to] = [sequence * length, (sequence + 1) * length];
        const context = this.#trainingContext(1);
        const hidden = decode(context, weights.decoder, embed(weights, inputs.subarray(from, to)));
        const head = this.#headInputs(weights, { targets: targets.subarray(from, to) });
        return meanLoss(headLosses(head, hidden));
      }),
    );
  }

  async logits(tokens: Uint16Array): Promise<Float32Array> {
    const { vocabSize, maxPositions } = this.#config;
    assert(
      tokens.length >= 1 && tokens.length <= maxPositions,
      `1 to ${maxPositions} tokens, not ${tokens.length}`,
    );
    checkVocabulary(tokens, vocabSize);
    const weights = await this.#ready();
    return tidy(() => {
      const context = this.#context(1, attentionTables(this.#config, tokens.length));
      const hidden = decode(context, weights.decoder, embed(weights, Int32Array.from(tokens)));
      const last = slice(hidden, [tokens.length - 1, 0], [1, -1]);
      return timesWeight(this.#products, last, weights.head).dataSync<'float32'>();
    });
  }

  async dispose(): Promise<void> {
    this.#weights?.dispose();
    if (this.#tables !== null) dispose(Object.values(this.#tables));
    this.#weights = this.#hostCopy = this.#scratch = this.#tables = null;
  }

  async #ready(): Promise<DeviceWeights> {
    await activateBackend(this.#backend.name);
    return present(this.#weights, 'setParameters before the first use: the weights');
  }

  #split(tokens: Uint16Array, sequences: number): InputsAndTargets {
    const { vocabSize } = this.#config;
    return splitTokens(tokens, { sequences, sequenceLength: this.#sequenceLength, vocabSize });
  }

  #headInputs({ head }: DeviceWeights, { targets }: { targets: Int32Array }): HeadInputs {
    return { products: this.#products, chunkLogits: this.#backend.chunkLogits, head, targets };
  }

  #trainingContext(sequences: number): AttentionContext {
    this.#tables ??= keepAll(attentionTables(this.#config, this.#sequenceLength));
    return this.#context(sequences, this.#tables);
  }

  #context(sequences: number, tables: AttentionTables): AttentionContext {
    const { cos, sin, mask } = tables;
    const positions = mask.shape[1];
    return {
      config: this.#config,
      products: this.#products,
      ...{ sequences, positions, rotary: { cos, sin }, mask },
    };
  }
}

interface AttentionTables extends RotaryTensors {
  readonly mask: Tensor2D;
}

function attentionTables(config: LlamaConfig, positions: number): AttentionTables {
  const { cos, sin } = rotaryTables(config, positions);
  const tableShape: [number, number, number, number] = [1, positions, 1, headSize(config)];
  const groupRows = (config.heads / config.kvHeads) * positions;
  return {
    cos: tensor4d(cos, tableShape),
    sin: tensor4d(sin, tableShape),
    mask: tensor2d(causalMask(config, positions), [groupRows, positions]),
  };
}

function keepAll(tables: AttentionTables): AttentionTables {
  for (const tensor of Object.values(tables) as Tensor[]) keep(tensor);
  return tables;
}

/** [rows, hiddenSize] */
function embed(weights: DeviceWeights, inputs: Int32Array): Tensor2D {
  return gather(weights.embedding, tensor1d(inputs, 'int32'));
}
