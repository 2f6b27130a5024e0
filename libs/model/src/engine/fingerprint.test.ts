import { expect, it } from 'vitest';
import { fingerprintText } from './fingerprint.js';

it('the text of a fingerprint is one line that does not depend on the order of keys', () => {
  const common = { engine: 'tfjs', arithmetic: 1, precision: 'f32', deviceClass: 'cpu' } as const;
  const text = fingerprintText({ ...common, libraries: { b: '2', a: '1' } });
  expect(text).toBe('tfjs/1 f32 cpu a=1 b=2');
  expect(fingerprintText({ libraries: { a: '1', b: '2' }, ...common })).toBe(text);
});
