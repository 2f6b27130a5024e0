// The shape of a Llama. Field names are those of the run configuration's `model:` section.
import { CriaError } from '@cria/runtime';

/** Sizes and constants of a Llama with grouped-query attention; no biases anywhere. */
export interface LlamaConfig {
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Width inside the feed-forward block. */
  readonly intermediateSize: number;
  readonly layers: number;
  /** Query heads; each is hiddenSize / heads wide, an even number. */
  readonly heads: number;
  /** Key/value heads; query head h reads key/value head floor(h / (heads / kvHeads)). */
  readonly kvHeads: number;
  readonly vocabSize: number;
  /** Longest sequence, in tokens. */
  readonly maxPositions: number;
  /** The output head is the embedding matrix; then there is no lm_head.weight. */
  readonly tieEmbeddings: boolean;
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  /** Standard deviation of the initial weights. */
  readonly initStd: number;
}

/** Token ids are 16-bit words everywhere (files, grants, engines). */
const LARGEST_VOCABULARY = 65_536;

const COUNTS = [
  'hiddenSize',
  'intermediateSize',
  'layers',
  'heads',
  'kvHeads',
  'vocabSize',
  'maxPositions',
] as const satisfies ReadonlyArray<keyof LlamaConfig>;

/** Both lie strictly between 0 and 1, so that JSON never writes them as whole numbers (strict readers want a float). */
const SMALL_FRACTIONS = ['rmsNormEps', 'initStd'] as const satisfies ReadonlyArray<keyof LlamaConfig>;

/**
 * Checks every rule that the mathematics needs.
 *
 * @param path where the configuration stands, for messages: `model` gives "model.heads is 3: ..."
 * @throws CONFIG_INVALID naming the field, its value and what is allowed
 */
export function validateLlamaConfig(config: LlamaConfig, path = 'model'): void {
  const refuse = (field: keyof LlamaConfig, rule: string): never => {
    throw new CriaError('CONFIG_INVALID', `${path}.${field} is ${String(config[field])}: ${rule}`);
  };
  for (const field of COUNTS) {
    if (!Number.isSafeInteger(config[field]) || config[field] < 1)
      refuse(field, 'it must be a whole number from 1 on');
  }
  for (const field of SMALL_FRACTIONS) {
    if (!(config[field] > 0 && config[field] < 1)) refuse(field, 'it must lie between 0 and 1');
  }
  if (!(config.ropeTheta >= 1 && Number.isFinite(config.ropeTheta)))
    refuse('ropeTheta', 'it must be at least 1');
  if (typeof config.tieEmbeddings !== 'boolean') refuse('tieEmbeddings', 'it must be true or false');
  if (config.vocabSize > LARGEST_VOCABULARY) {
    refuse('vocabSize', `at most ${LARGEST_VOCABULARY}, because tokens are 16-bit words`);
  }
  if (config.hiddenSize % config.heads !== 0) {
    refuse('heads', `it must divide ${path}.hiddenSize = ${config.hiddenSize}`);
  }
  if (headSize(config) % 2 !== 0) {
    refuse(
      'heads',
      `${path}.hiddenSize / heads = ${headSize(config)} must be even, because rotary embedding works on pairs`,
    );
  }
  if (config.heads % config.kvHeads !== 0) {
    refuse('kvHeads', `it must divide ${path}.heads = ${config.heads}`);
  }
}

/** Width of one attention head. */
export function headSize(config: LlamaConfig): number {
  return config.hiddenSize / config.heads;
}
