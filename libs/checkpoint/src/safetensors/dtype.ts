// Element types of safetensors, and their way into f32. Only the three float types that Llama weights
// come in are read; the others are known so that a file holding them still parses.
import { CriaError } from '@cria/runtime';

export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const satisfies Record<string, number>;

export type Dtype = keyof typeof DTYPE_BYTES;

export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(DTYPE_BYTES, name);
}

/** Types that {@link widenToFloat32} reads. */
export type FloatDtype = 'F32' | 'BF16' | 'F16';

export function floatDtype(dtype: Dtype, place: string): FloatDtype {
  if (dtype === 'F32' || dtype === 'BF16' || dtype === 'F16') return dtype;
  throw new CriaError(
    'CHECKPOINT_INCOMPATIBLE',
    `${place} is of type ${dtype}; F32, BF16 and F16 can be read`,
    {
      context: { place, dtype },
    },
  );
}

/** Converts little-endian 16-bit floats to f32, exactly. `out.length` elements are read from the start of `bytes`. */
export function widenToFloat32(out: Float32Array, bytes: Uint8Array, dtype: 'BF16' | 'F16'): void {
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const widen = dtype === 'BF16' ? bf16ToF32Bits : f16ToF32Bits;
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < out.length; i++) bits[i] = widen(source.getUint16(2 * i, true));
}

/** Rounds f32 to BF16, to nearest, ties to even; NaN stays NaN. Writes `values.length` elements to `out`. */
export function narrowToBfloat16(out: Uint16Array, values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) {
    const word = bits[i] as number;
    const isNaN = (word & 0x7fffffff) > 0x7f800000;
    out[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

const bf16ToF32Bits = (half: number): number => half << 16;

/** IEEE 754 binary16 to binary32: rebias the exponent by 112; subnormals become normal. */
function f16ToF32Bits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13);
  if (fraction === 0) return sign;
  const shift = Math.clz32(fraction) - 21;
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13);
}
