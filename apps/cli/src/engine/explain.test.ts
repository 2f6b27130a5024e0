import { expect, it } from 'vitest';
import { explainEngine, type EngineFacts } from './explain.js';

const FACTS: EngineFacts = {
  kind: 'native',
  precision: 'f32',
  backend: 'auto',
  threads: 2,
  instructionSets: ['avx2', 'portable'],
  nativeRefusal: null,
};

const lines = (change: Partial<EngineFacts>): string[] =>
  explainEngine({ ...FACTS, ...change }).map(({ name, value, why }) => `${name} ${value}: ${why}`);

it('the native engine says which instruction set and precision it takes, and why not bf16', () => {
  expect(lines({})).toEqual([
    'engine native: the kernels are built and pass their self-test',
    'instruction set avx2: the best of this CPU (avx2, portable); it changes no bit',
    'precision f32: this CPU has no avx512bf16, bf16 would be emulated and slower',
    'backend none: only the tfjs engine has backends',
    'threads 2: all cores, shared among the workers; they change no bit',
  ]);
  expect(
    lines({ precision: 'bf16', instructionSets: ['avx512bf16', 'avx512', 'avx2', 'portable'] })[2],
  ).toMatch(/^precision bf16: this CPU multiplies bf16 natively/);
});

it('the tfjs engine says why it is not the native one, and what would make it faster', () => {
  const refusal = 'the native kernels are not built: run `cria setup` (needs a C++ compiler)';
  const wasm = lines({ kind: 'tfjs', backend: 'wasm', instructionSets: [], nativeRefusal: refusal });
  expect(wasm[0]).toBe(`engine tfjs: ${refusal}`);
  expect(wasm[3]).toContain('npx cria setup --tensorflow cpu');
  expect(wasm[4]).toBe('threads 1: wasm computes on one');
  const tensorflow = lines({ kind: 'tfjs', backend: 'tensorflow', threads: 4, nativeRefusal: refusal });
  expect(tensorflow[3]).toBe('backend tensorflow: TensorFlow is set up');
  expect(tensorflow[4]).toContain('threads 4');
});
