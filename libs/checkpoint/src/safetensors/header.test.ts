import { CriaError, Rng } from '@cria/runtime';
import { describe, expect, it } from 'vitest';
import { encodeHeader, headerLength, MAX_HEADER_BYTES, parseHeader, type TensorSpec } from './header.js';

const encode = (json: string): Uint8Array => Buffer.from(json, 'utf8');

function faultOf(action: () => unknown): CriaError {
  try {
    action();
  } catch (error) {
    if (CriaError.is(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a safetensors header', () => {
  // Both from the tests of the reference implementation.
  it('is written like the reference writes it', () => {
    const { bytes, header } = encodeHeader([{ name: 'attn.0', dtype: 'F32', shape: [1, 2, 3] }]);
    const json = '{"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}}';
    expect(Buffer.from(bytes).toString('latin1')).toBe(`\x40${'\0'.repeat(7)}${json}`);
    expect(header.fileBytes).toBe(8 + 64 + 24);
    expect(Buffer.from(encodeHeader([]).bytes).toString('latin1')).toBe(`\x08${'\0'.repeat(7)}{}      `);
  });

  it('is padded with spaces to a multiple of 8 bytes', () => {
    for (let length = 1; length < 20; length++) {
      const { bytes } = encodeHeader([{ name: 'x'.repeat(length), dtype: 'F32', shape: [2] }]);
      expect(bytes.length % 8).toBe(0);
      expect(Buffer.from(bytes).subarray(8).toString()).toMatch(/^\{.*\} {0,7}$/);
    }
  });

  it('orders tensors by element size, larger first, then by name', () => {
    const { header } = encodeHeader([
      { name: 'b', dtype: 'F32', shape: [1] },
      { name: 'z', dtype: 'I64', shape: [1] },
      { name: 'layers.10', dtype: 'F32', shape: [1] },
      { name: 'layers.2', dtype: 'F32', shape: [1] },
      { name: 'a', dtype: 'BF16', shape: [1] },
    ]);
    expect(header.tensors.map((tensor) => tensor.name)).toEqual(['z', 'b', 'layers.10', 'layers.2', 'a']);
  });

  it('reads back what was written, for any tensors', () => {
    for (let seed = 0; seed < 50; seed++) {
      const rng = new Rng(seed, 9);
      const specs: TensorSpec[] = Array.from({ length: rng.below(8) }, (_, i) => ({
        name: `t${i}."\u00e9\\{`,
        dtype: (['F32', 'BF16', 'U8', 'F64'] as const)[rng.below(4)] ?? 'F32',
        shape: Array.from({ length: rng.below(4) }, () => rng.below(5)),
      }));
      const { bytes, header } = encodeHeader(specs, { format: 'pt' });
      const length = headerLength(bytes, header.fileBytes, 'f');
      expect(length).toBe(bytes.length - 8);
      expect(parseHeader(bytes.subarray(8), header.fileBytes, 'f')).toEqual(header);
    }
  });
});

describe('reading a header', () => {
  const info = (begin: number, end: number, shape = '[1]', dtype = 'F32'): string =>
    `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

  it.each([
    ['not JSON in UTF-8', '{"a":', 4],
    ['not a JSON object', '[]', 0],
    ['not a JSON object', ' {}', 0],
    ['names tensor a twice', `{"a":${info(0, 4)},"a":${info(0, 4)}}`, 4],
    ['unknown type "F31"', `{"a":${info(0, 4, '[1]', 'F31')}}`, 4],
    ['unknown type undefined', '{"a":5}', 4],
    ['shape is not a list', `{"a":${info(0, 4, '[-1]')}}`, 4],
    ['data_offsets must be', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', 4],
    ['8 bytes, F32 [1] takes 4', `{"a":${info(0, 8)}}`, 8],
    ['leaves a hole before tensor a', `{"a":${info(4, 8)}}`, 8],
    ['overlaps the bytes before tensor b', `{"a":${info(0, 8, '[2]')},"b":${info(4, 8)}}`, 8],
    ['its header describes', `{"a":${info(0, 4)}}`, 5],
    ['its header describes', `{"a":${info(0, 4)}}`, 3],
    ['not a map of texts', '{"__metadata__":{"a":1}}', 0],
  ])('refuses a file that is wrong: %s', (message, json, dataBytes) => {
    const error = faultOf(() => parseHeader(encode(json), 8 + json.length + dataBytes, 'model.safetensors'));
    expect(error.code).toBe('CHECKPOINT_CORRUPT');
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/^model\.safetensors /);
  });

  it('refuses bytes that are not UTF-8', () => {
    const json = Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    expect(faultOf(() => parseHeader(json, 15, 'f')).message).toContain('UTF-8');
  });

  it('accepts tensors without elements and without dimensions', () => {
    const json = `{"none":${info(4, 4, '[3,0]')},"scalar":${info(0, 4, '[]')}}`;
    const { tensors } = parseHeader(encode(json), 8 + json.length + 4, 'f');
    expect(tensors.map((tensor) => tensor.name)).toEqual(['scalar', 'none']);
  });

  it('checks the length before it believes it', () => {
    const prefix = (length: bigint): Uint8Array => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(length);
      return bytes;
    };
    expect(faultOf(() => headerLength(prefix(0n), 7, 'f')).message).toContain('too few');
    expect(faultOf(() => headerLength(prefix(93n), 100, 'f')).message).toContain('claims a header of 93');
    expect(headerLength(prefix(92n), 100, 'f')).toBe(92);
    const huge = BigInt(MAX_HEADER_BYTES) + 1n;
    expect(faultOf(() => headerLength(prefix(huge), 2 ** 40, 'f')).message).toContain('the limit is');
    expect(faultOf(() => headerLength(prefix(2n ** 64n - 1n), 100, 'f')).code).toBe('CHECKPOINT_CORRUPT');
  });
});
