import { describe, expect, it } from 'vitest';
import { generate } from './generate.js';
import type { GenerateOptions } from './generate.js';
import { sampleToken } from './sample-token.js';

const LOGITS = Float32Array.of(0, 2, 1, 2, -1000);

describe('a sampled token', () => {
  it('is the likeliest at temperature 0, the first of equals', () => {
    expect(sampleToken(LOGITS, { temperature: 0, topP: 1 }, 0.99)).toBe(1);
  });

  it('is drawn with the probabilities of the softmax', () => {
    const counts = new Array<number>(5).fill(0);
    const draws = 10_000;
    for (let i = 0; i < draws; i++)
      counts[sampleToken(LOGITS, { temperature: 1, topP: 1 }, (i + 0.5) / draws)]++;
    const total = 1 + 2 * Math.exp(2) + Math.E;
    [1, Math.exp(2), Math.E, Math.exp(2), 0].forEach((weight, token) => {
      expect(Math.abs(counts[token] - (draws * weight) / total)).toBeLessThanOrEqual(1);
    });
  });

  it('stays within the nucleus', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 100; i++) seen.add(sampleToken(LOGITS, { temperature: 1, topP: 0.6 }, i / 100));
    expect([...seen].sort()).toEqual([1, 3]);
    expect(sampleToken(LOGITS, { temperature: 1, topP: 1e-9 }, 0.999)).toBe(1);
  });

  it('comes closer to the likeliest as the temperature falls', () => {
    expect(sampleToken(Float32Array.of(0, 1), { temperature: 0.05, topP: 1 }, 1e-6)).toBe(1);
    expect(sampleToken(Float32Array.of(0, 1), { temperature: 50, topP: 1 }, 0.6)).toBe(0);
  });

  it('is refused for options out of range', () => {
    expect(() => sampleToken(LOGITS, { temperature: -1, topP: 1 }, 0)).toThrow('temperature is -1');
    expect(() => sampleToken(LOGITS, { temperature: 1, topP: 0 }, 0)).toThrow('top-p is 0');
  });
});

/** A model that only knows to count up, and remembers what it was shown. */
function counter(): { engine: GenerateOptions['engine']; contexts: number[][] } {
  const contexts: number[][] = [];
  const logits = async (tokens: Uint16Array): Promise<Float32Array> => {
    contexts.push(Array.from(tokens));
    return Float32Array.from({ length: 10 }, (_, token) =>
      token === (tokens[tokens.length - 1] + 1) % 10 ? 3 : 0,
    );
  };
  return { engine: { logits }, contexts };
}

const GREEDY = { maxTokens: 5, contextLength: 4, temperature: 0, topP: 1, seed: 1 };

describe('generation', () => {
  it('continues the prompt, shown as far back as the model can look', async () => {
    const { engine, contexts } = counter();
    expect(await generate({ engine, prompt: [1, 2], ...GREEDY })).toEqual([3, 4, 5, 6, 7]);
    expect(contexts.at(-1)).toEqual([3, 4, 5, 6]);
  });

  it('ends before the stop token', async () => {
    const told: number[] = [];
    const { engine } = counter();
    const onToken = (token: number): void => void told.push(token);
    expect(await generate({ engine, prompt: [7], ...GREEDY, stopToken: 0, onToken })).toEqual([8, 9]);
    expect(told).toEqual([8, 9]);
  });

  it('is the same for the same seed and another for another', async () => {
    const sample = async (seed: number): Promise<number[]> =>
      generate({ engine: counter().engine, prompt: [0], ...GREEDY, maxTokens: 40, temperature: 2, seed });
    expect(await sample(5)).toEqual(await sample(5));
    expect(await sample(5)).not.toEqual(await sample(6));
  });

  it('refuses an empty prompt and stops when told to', async () => {
    const { engine } = counter();
    await expect(generate({ engine, prompt: [], ...GREEDY })).rejects.toThrow('the prompt is empty');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(generate({ engine, prompt: [1], ...GREEDY, signal })).rejects.toThrow('enough');
  });
});
