import { expect, it } from 'vitest';
import { demandsOf, fingerprintText } from './fingerprint.js';

it('the text of a fingerprint is one line that does not depend on the order of keys', () => {
  const common = { engine: 'tfjs', arithmetic: 1, precision: 'f32', deviceClass: 'cpu' } as const;
  const text = fingerprintText({ ...common, libraries: { b: '2', a: '1' } });
  expect(text).toBe('tfjs/1 f32 cpu a=1 b=2');
  expect(fingerprintText({ libraries: { a: '1', b: '2' }, ...common })).toBe(text);
});

it('says what a worker has to start with to have it', () => {
  expect(demandsOf('tfjs/1 f32 cpu backend=tensorflow onednn=1 tensorflow=2.21.0 threads=4')).toEqual({
    backend: 'tensorflow',
    threads: 4,
  });
  expect(demandsOf('tfjs/1 f32 cpu backend=wasm-simd tfjs-core=4.22.0')).toEqual({ backend: 'wasm' });
  expect(demandsOf('native/1 bf16 cpu')).toEqual({});
});
