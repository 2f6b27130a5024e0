import { describe, expect, it } from 'vitest';
import { configFromHuggingFace, generationConfig, huggingFaceConfig } from './hugging-face.js';
import { presetConfig } from './presets.js';

const LITELLAMA = presetConfig('litellama-460m');

/** ahxt/LiteLlama-460M-1T, config.json: no rope_theta, Llama's own token ids, a stray layernorm_epsilon. */
const PUBLISHED = {
  ...{
    architectures: ['LlamaForCausalLM'],
    bos_token_id: 1,
    eos_token_id: 2,
    pad_token_id: 0,
    hidden_act: 'silu',
  },
  ...{ hidden_size: 1024, initializer_range: 0.02, intermediate_size: 4096, layernorm_epsilon: 1e-5 },
  ...{ max_position_embeddings: 1024, model_type: 'llama', num_attention_heads: 16, num_hidden_layers: 24 },
  ...{ num_key_value_heads: 2, pretraining_tp: 1, rms_norm_eps: 1e-6, rope_scaling: null },
  ...{ tie_word_embeddings: false, torch_dtype: 'bfloat16', use_cache: true, vocab_size: 50304 },
};

describe('reading config.json', () => {
  it('takes the published LiteLlama as the preset', () => {
    expect(configFromHuggingFace(PUBLISHED)).toEqual(LITELLAMA);
  });

  it('gives back what was written, through JSON', () => {
    for (const name of ['quickstart', 'litellama-460m']) {
      const config = { ...presetConfig(name), ropeTheta: 500_000, rmsNormEps: 1e-5 };
      expect(configFromHuggingFace(JSON.parse(JSON.stringify(huggingFaceConfig(config))))).toEqual(config);
    }
  });

  it('finds the rotary base where transformers 5 puts it', () => {
    const rope = { rope_parameters: { rope_theta: 20_000, rope_type: 'default' } };
    expect(configFromHuggingFace({ ...PUBLISHED, ...rope }).ropeTheta).toBe(20_000);
  });

  it('takes as many key/value heads as heads when the file does not say', () => {
    expect(configFromHuggingFace({ ...PUBLISHED, num_key_value_heads: undefined }).kvHeads).toBe(16);
  });

  it.each([
    [{ model_type: 'gpt2' }, 'model_type is "gpt2", supported is "llama"'],
    [{ hidden_act: 'gelu' }, 'hidden_act is "gelu"'],
    [{ attention_bias: true }, 'attention_bias is true'],
    [{ rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'rope_scaling asks for llama3'],
    [{ head_dim: 128 }, 'head_dim is 128'],
    [{ hidden_size: undefined }, 'hidden_size is missing'],
    [{ vocab_size: '50304' }, 'vocab_size is "50304", expected a number'],
  ])('refuses %o by name', (change, message) => {
    expect(() => configFromHuggingFace({ ...PUBLISHED, ...change })).toThrow(message);
  });

  it('refuses what is not an object', () => {
    expect(() => configFromHuggingFace([])).toThrow('config.json does not hold an object');
  });
});

describe('writing config.json', () => {
  it('names the rotary base, the dtype, and GPT-2 end of text', () => {
    const written = huggingFaceConfig(LITELLAMA, 'bfloat16');
    expect(written).toMatchObject({ rope_theta: 10_000, torch_dtype: 'bfloat16', bos_token_id: 50_256 });
    expect(generationConfig(LITELLAMA)).toMatchObject({ bos_token_id: 50_256, eos_token_id: 50_256 });
  });

  it('writes fractions that strict readers take for floats', () => {
    const text = JSON.stringify(huggingFaceConfig({ ...LITELLAMA, rmsNormEps: 1e-7 }));
    expect(text).toContain('"rms_norm_eps":1e-7');
    expect(text).toContain('"initializer_range":0.02');
  });
});
