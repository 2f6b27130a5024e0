import { createHash } from 'node:crypto';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { gpt2Tokenizer } from './gpt2-tokenizer.js';
import { tokenizerFiles } from './hugging-face-files.js';

const files = new Map(tokenizerFiles({ modelMaxLength: 256 }).map(({ name, bytes }) => [name, bytes]));

function parsed(name: string): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(files.get(name))) as Record<string, unknown>;
}

function sha256(name: string): string {
  return createHash('sha256')
    .update(files.get(name) ?? '')
    .digest('hex');
}

describe('the tokenizer files of a model directory', () => {
  it('have the names that Hugging Face looks for', () => {
    expect([...files.keys()]).toEqual([
      'vocab.json',
      'merges.txt',
      'tokenizer.json',
      'tokenizer_config.json',
      'special_tokens_map.json',
    ]);
  });

  it('hold the vocabulary and the merges that OpenAI published, byte for byte', () => {
    expect(sha256('vocab.json')).toBe('196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783');
    expect(sha256('merges.txt')).toBe('1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5');
  });

  it('name the tokenizer class, because the model type would choose another', () => {
    expect(parsed('tokenizer_config.json')).toEqual({
      add_prefix_space: false,
      bos_token: '<|endoftext|>',
      eos_token: '<|endoftext|>',
      unk_token: '<|endoftext|>',
      model_max_length: 256,
      tokenizer_class: 'GPT2Tokenizer',
    });
    expect(parsed('special_tokens_map.json')['eos_token']).toBe('<|endoftext|>');
  });

  it('make a tokenizer.json that gives our ids in another implementation', () => {
    const other = new HuggingFaceTokenizer(parsed('tokenizer.json'), parsed('tokenizer_config.json'));
    const ours = gpt2Tokenizer();
    for (const text of [
      'The Grand Duchy of Luxembourg (2,586 sq km) lies between France and Germany.',
      "they're   it's\n\n  done\tnow 'tis",
      'naïve 漢字 🙂 ½',
    ]) {
      expect(other.encode(text).ids).toEqual(Array.from(ours.encode(text)));
      expect(other.decode(Array.from(ours.encode(text)))).toBe(text);
    }
    // Text from a user may spell it there; documents go through our encoder, where it is text.
    expect(other.encode('a<|endoftext|>').ids).toEqual([64, 50_256]);
  });
});
