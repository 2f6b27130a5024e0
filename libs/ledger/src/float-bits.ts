// A float as its IEEE 754 bits in hexadecimal, most significant digit first. Text such as 3.1 is for
// people; these bits are what is hashed. A NaN has many bit patterns and means one thing, so all of
// them are written as the quiet NaN with an empty payload.
const view = new DataView(new ArrayBuffer(8));

const NAN_F32 = '7fc00000';
const NAN_F64 = '7ff8000000000000';

/** The 8 hex digits of `value` rounded to f32. */
export function f32Bits(value: number): string {
  if (Number.isNaN(value)) return NAN_F32;
  view.setFloat32(0, value);
  return view.getUint32(0).toString(16).padStart(8, '0');
}

/** The 16 hex digits of an f64. */
export function f64Bits(value: number): string {
  if (Number.isNaN(value)) return NAN_F64;
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}

/** Inverse of {@link f32Bits}; null when the text is not 8 lower-case hex digits or a NaN that is not canonical. */
export function f32FromBits(text: string): number | null {
  if (!/^[0-9a-f]{8}$/.test(text)) return null;
  view.setUint32(0, Number.parseInt(text, 16));
  const value = view.getFloat32(0);
  return Number.isNaN(value) && text !== NAN_F32 ? null : value;
}

/** Inverse of {@link f64Bits}; null when the text is not 16 lower-case hex digits or a NaN that is not canonical. */
export function f64FromBits(text: string): number | null {
  if (!/^[0-9a-f]{16}$/.test(text)) return null;
  view.setBigUint64(0, BigInt(`0x${text}`));
  const value = view.getFloat64(0);
  return Number.isNaN(value) && text !== NAN_F64 ? null : value;
}
