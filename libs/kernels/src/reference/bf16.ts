// f32 <-> bf16 exactly as the instruction `vcvtneps2bf16` does it: nearest even, denormals to signed zero whatever
// the mode, NaN made quiet with its upper payload kept.

/** `Kernels.f32ToBf16`. */
export function f32ToBf16(values: Float32Array, out: Uint16Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) out[i] = toBf16(bits[i]);
}

function toBf16(bits: number): number {
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (bits >>> 16) | 0x40;
  if (magnitude < 0x00800000) return (bits >>> 16) & 0x8000;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** `Kernels.bf16ToF32`. */
export function bf16ToF32(words: Uint16Array, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < words.length; i++) bits[i] = words[i] << 16;
}
