// The tokenizer files of a Hugging Face model directory. vocab.json and merges.txt are OpenAI's files unchanged;
// tokenizer.json says the same in the format of the Rust `tokenizers` library, which newer tools ask for first.
import {
  GPT2_END_OF_TEXT,
  GPT2_END_OF_TEXT_CONTENT as END_OF_TEXT,
  readOpenAiFile,
} from './gpt2-vocabulary.js';

export interface TokenizerFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface TokenizerFilesOptions {
  /** Positions of the model, written as `model_max_length`. @default 1024 */
  readonly modelMaxLength?: number;
}

/**
 * vocab.json, merges.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, in this order.
 *
 * The bytes depend on nothing but the options, so that their hashes can stand in a manifest.
 */
export function tokenizerFiles(options: TokenizerFilesOptions = {}): TokenizerFile[] {
  const vocabJson = readOpenAiFile('vocabJson');
  const mergesTxt = readOpenAiFile('mergesTxt');
  const specialTokens = { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT, unk_token: END_OF_TEXT };
  return [
    { name: 'vocab.json', bytes: vocabJson },
    { name: 'merges.txt', bytes: mergesTxt },
    { name: 'tokenizer.json', bytes: json(rustTokenizer(vocabJson, mergesTxt)) },
    {
      name: 'tokenizer_config.json',
      bytes: json({
        add_prefix_space: false,
        ...specialTokens,
        model_max_length: options.modelMaxLength ?? 1024,
        // Without it the model type "llama" would choose the Llama tokenizer.
        tokenizer_class: 'GPT2Tokenizer',
      }),
    },
    { name: 'special_tokens_map.json', bytes: json(specialTokens) },
  ];
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/** Field by field as `tokenizers` 0.2x writes it for GPT-2; merges as strings, which every version reads. */
function rustTokenizer(vocabJson: Buffer, mergesTxt: Buffer): unknown {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: GPT2_END_OF_TEXT,
        content: END_OF_TEXT,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: byteLevel,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: JSON.parse(vocabJson.toString('utf8')) as unknown,
      merges: mergesTxt.toString('utf8').trimEnd().split('\n').slice(1),
    },
  };
}
