// config.json and generation_config.json of `LlamaForCausalLM`, both ways. Old readers (transformers 4.31) need
// top-level `rope_theta` and know only `torch_dtype`; new ones still accept both, so these are what is written.
import { CriaError } from '@cria/runtime';
import { headSize, validateLlamaConfig } from './llama-config.js';
import type { LlamaConfig } from './llama-config.js';

/** `<|endoftext|>` of the GPT-2 vocabulary. LiteLlama's own config says 1 and 2, which are `"` and `#` there. */
export const END_OF_TEXT = 50_256;

export type JsonObject = Record<string, unknown>;

/** What {@link configFromHuggingFace} takes for fields that Hugging Face's LlamaConfig may leave out. */
const DEFAULTS = { initializer_range: 0.02, rms_norm_eps: 1e-6, rope_theta: 10_000 } as const;

/**
 * The object to write as config.json.
 *
 * @param dtype of the tensors in the files beside it
 */
export function huggingFaceConfig(
  config: LlamaConfig,
  dtype: 'float32' | 'bfloat16' = 'float32',
): JsonObject {
  return {
    architectures: ['LlamaForCausalLM'],
    attention_bias: false,
    bos_token_id: endOfText(config),
    eos_token_id: endOfText(config),
    hidden_act: 'silu',
    hidden_size: config.hiddenSize,
    initializer_range: config.initStd,
    intermediate_size: config.intermediateSize,
    max_position_embeddings: config.maxPositions,
    mlp_bias: false,
    model_type: 'llama',
    num_attention_heads: config.heads,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    pretraining_tp: 1,
    rms_norm_eps: config.rmsNormEps,
    rope_scaling: null,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tieEmbeddings,
    torch_dtype: dtype,
    use_cache: true,
    vocab_size: config.vocabSize,
  };
}

/** The object to write as generation_config.json. */
export function generationConfig(config: LlamaConfig): JsonObject {
  return { _from_model_config: true, bos_token_id: endOfText(config), eos_token_id: endOfText(config) };
}

/** null for a vocabulary too small to be GPT-2's (tests). */
function endOfText(config: LlamaConfig): number | null {
  return config.vocabSize > END_OF_TEXT ? END_OF_TEXT : null;
}

/**
 * Reads a config.json.
 *
 * @param json its parsed content
 * @throws CHECKPOINT_INCOMPATIBLE naming the field whose value Cria's Llama cannot express, or that is missing
 */
export function configFromHuggingFace(json: unknown): LlamaConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw incompatible('config.json does not hold an object');
  }
  const fields = json as JsonObject;
  refuseUnsupported(fields);
  const heads = readNumber(fields, 'num_attention_heads');
  const config: LlamaConfig = {
    hiddenSize: readNumber(fields, 'hidden_size'),
    intermediateSize: readNumber(fields, 'intermediate_size'),
    layers: readNumber(fields, 'num_hidden_layers'),
    heads,
    kvHeads: readNumber(fields, 'num_key_value_heads', heads),
    vocabSize: readNumber(fields, 'vocab_size'),
    maxPositions: readNumber(fields, 'max_position_embeddings'),
    tieEmbeddings: fields['tie_word_embeddings'] === true,
    ropeTheta: readRopeTheta(fields),
    rmsNormEps: readNumber(fields, 'rms_norm_eps', DEFAULTS.rms_norm_eps),
    initStd: readNumber(fields, 'initializer_range', DEFAULTS.initializer_range),
  };
  validateLlamaConfig(config, 'config.json');
  const headDim = fields['head_dim'];
  if (headDim !== undefined && headDim !== null && headDim !== headSize(config)) {
    throw incompatible(
      `config.json: head_dim is ${String(headDim)}, only hidden_size / num_attention_heads is supported`,
    );
  }
  return config;
}

function refuseUnsupported(fields: JsonObject): void {
  const expected: Array<[name: string, accepted: unknown[]]> = [
    ['model_type', ['llama']],
    ['hidden_act', ['silu', undefined]],
    ['attention_bias', [false, null, undefined]],
    ['mlp_bias', [false, null, undefined]],
  ];
  for (const [name, accepted] of expected) {
    if (accepted.includes(fields[name])) continue;
    const found = JSON.stringify(fields[name]) ?? 'missing';
    throw incompatible(`config.json: ${name} is ${found}, supported is ${JSON.stringify(accepted[0])}`);
  }
  for (const name of ['rope_scaling', 'rope_parameters']) {
    const rope = fields[name] as JsonObject | null | undefined;
    const kind = rope?.['rope_type'] ?? rope?.['type'] ?? 'default';
    if (kind !== 'default')
      throw incompatible(`config.json: ${name} asks for ${String(kind)}, supported is plain rotary`);
  }
}

/** transformers 5 moved the base into rope_parameters; 4.31-era files leave it out. */
function readRopeTheta(fields: JsonObject): number {
  const parameters = fields['rope_parameters'] as JsonObject | null | undefined;
  if (parameters?.['rope_theta'] !== undefined) return readNumber(parameters, 'rope_theta');
  return readNumber(fields, 'rope_theta', DEFAULTS.rope_theta);
}

function readNumber(fields: JsonObject, name: string, fallback?: number): number {
  const value = fields[name] ?? fallback;
  if (typeof value === 'number') return value;
  throw incompatible(
    `config.json: ${name} is ${value === undefined ? 'missing' : JSON.stringify(value)}, expected a number`,
  );
}

function incompatible(message: string): CriaError {
  return new CriaError('CHECKPOINT_INCOMPATIBLE', message);
}
