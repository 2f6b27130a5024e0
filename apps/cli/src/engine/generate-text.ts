// A checkpoint continues a text.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HuggingFaceModel } from '@cria/checkpoint';
import { gpt2Tokenizer } from '@cria/data';
import {
  configFromHuggingFace,
  createEngine,
  generate,
  parameterLayout,
  type Engine,
  type LlamaConfig,
} from '@cria/model';
import { CriaError } from '@cria/runtime';
import { examineEngine } from './examine.js';
import type { ProbeRequest } from './probe.js';

export interface GenerateRequest {
  /** A Hugging Face model directory. */
  readonly directory: string;
  /** Empty: a new document begins. */
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number;
  readonly engine: Pick<ProbeRequest, 'engine' | 'device'>;
  readonly threads: number;
  readonly onText?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface Generated {
  readonly prompt: string;
  readonly text: string;
  readonly tokens: number;
  readonly engine: string;
}

/** @throws CriaError CHECKPOINT_* for the directory, ENGINE_UNAVAILABLE, USAGE for options out of range */
export async function generateText(request: GenerateRequest): Promise<Generated> {
  const config = readModelConfig(request.directory);
  const engine = await openEngine(request, config);
  try {
    await engine.setParameters(await readParameters(request.directory, config));
    const tokens = await continuePrompt(request, engine, config);
    const text = gpt2Tokenizer().decode(tokens);
    return { prompt: request.prompt, text, tokens: tokens.length, engine: engine.description };
  } finally {
    await engine.dispose();
  }
}

function readModelConfig(directory: string): LlamaConfig {
  const path = join(directory, 'config.json');
  try {
    return configFromHuggingFace(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    if (CriaError.is(error)) throw error;
    throw new CriaError(
      'CHECKPOINT_MISSING',
      `cannot read ${path}: name a checkpoint or a Hugging Face model directory`,
      {
        cause: error,
      },
    );
  }
}

async function openEngine({ engine, threads }: GenerateRequest, config: LlamaConfig): Promise<Engine> {
  const { kind } = await examineEngine({ ...engine, precision: 'f32' });
  const { maxPositions: sequenceLength } = config;
  return createEngine({ kind, device: engine.device, threads, precision: 'f32', config, sequenceLength });
}

async function readParameters(directory: string, config: LlamaConfig): Promise<Float32Array> {
  const layout = parameterLayout(config);
  const model = await HuggingFaceModel.open(directory, layout);
  try {
    const parameters = new Float32Array(layout.paddedSize);
    await model.readPart(0, parameters);
    return parameters;
  } finally {
    await model.close();
  }
}

async function continuePrompt(
  request: GenerateRequest,
  engine: Engine,
  config: LlamaConfig,
): Promise<number[]> {
  const { prompt, onText, signal, maxTokens, temperature, topP, seed } = request;
  const tokenizer = gpt2Tokenizer();
  const decoder = tokenizer.streamDecoder();
  const tokens = await generate({
    ...{ engine, maxTokens, temperature, topP, seed },
    prompt: prompt === '' ? [tokenizer.endOfText] : tokenizer.encode(prompt),
    contextLength: config.maxPositions,
    stopToken: tokenizer.endOfText,
    onToken: (token) => onText?.(decoder.push(token)),
    ...(signal === undefined ? {} : { signal }),
  });
  onText?.(decoder.end());
  return tokens;
}
