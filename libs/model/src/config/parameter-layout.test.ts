import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BLOCK_SIZE } from '@cria/kernels';
import { flopsPerToken } from './flops.js';
import { LAYOUT_BLOCK, parameterLayout } from './parameter-layout.js';
import { presetConfig } from './presets.js';

const TINY = {
  ...presetConfig('quickstart'),
  hiddenSize: 12,
  intermediateSize: 20,
  heads: 2,
  kvHeads: 1,
  vocabSize: 30,
};

describe('the parameter layout', () => {
  it('of LiteLlama has 219 tensors and 461,685,760 parameters', () => {
    const layout = parameterLayout(presetConfig('litellama-460m'));
    expect(layout.tensors).toHaveLength(219);
    expect(layout.numel).toBe(461_685_760);
    expect(layout.paddedSize).toBe(461_685_760);
  });

  it('starts every tensor at a block, behind the one before and its padding', () => {
    const { tensors, paddedSize, numel } = parameterLayout(TINY);
    let end = 0;
    for (const { name, offset, size, shape } of tensors) {
      expect(offset, name).toBe(Math.ceil(end / 256) * 256);
      expect(
        shape.reduce((product, dimension) => product * dimension),
        name,
      ).toBe(size);
      end = offset + size;
    }
    expect(paddedSize).toBe(Math.ceil(end / 256) * 256);
    expect(numel).toBe(tensors.reduce((sum, { size }) => sum + size, 0));
  });

  it('has the block size of the kernels', () => {
    expect(LAYOUT_BLOCK).toBe(BLOCK_SIZE);
  });

  it('runs from the embedding to the head, which a tied model does not have', () => {
    const tied = parameterLayout(TINY).tensors.map(({ name }) => name);
    const untied = parameterLayout({ ...TINY, tieEmbeddings: false }).tensors.map(({ name }) => name);
    expect(tied[0]).toBe('model.embed_tokens.weight');
    expect(tied.at(-1)).toBe('model.norm.weight');
    expect(untied).toEqual([...tied, 'lm_head.weight']);
  });

  it('lets weights decay and norms not', () => {
    const kept = parameterLayout(TINY).tensors.filter(({ decay }) => !decay);
    expect(kept.map(({ name }) => name).every((name) => name.endsWith('norm.weight'))).toBe(true);
    expect(kept).toHaveLength(2 * TINY.layers + 1);
  });
});

describe('FLOPs per token', () => {
  it('of LiteLlama count every multiplied parameter six times, and attention without a discount', () => {
    const multiplied = 461_685_760 - 50_304 * 1024;
    expect(flopsPerToken(presetConfig('litellama-460m'), 1024)).toBe(6 * multiplied + 12 * 24 * 1024 * 1024);
  });

  it('count a tied matrix once, as the head', () => {
    const tied = flopsPerToken(TINY, 16);
    expect(flopsPerToken({ ...TINY, tieEmbeddings: false }, 16)).toBe(tied);
  });
});

describe('the configuration entry', () => {
  it('reaches neither tfjs nor kernels', () => {
    const seen = new Set<string>();
    const packages = new Set<string>();
    const visit = (url: URL): void => {
      if (seen.has(url.href)) return;
      seen.add(url.href);
      const source = readFileSync(url, 'utf8');
      for (const [, target] of source.matchAll(/^(?:import|export) (?!type )[^;]*from '([^']+)'/gm)) {
        if (target.startsWith('.')) visit(new URL(target.replace(/\.js$/, '.ts'), url));
        else packages.add(target);
      }
    };
    visit(new URL('../config-entry.ts', import.meta.url));
    expect(seen.size).toBeGreaterThan(5);
    expect([...packages]).toEqual(['@cria/runtime']);
  });
});
