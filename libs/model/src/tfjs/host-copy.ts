// Host memory that the device may read in place. Pages that nobody has touched yet cost more than the copy into them, so
// what is as large as the weights is made once and used again for every step.

/**
 * Zeros at the start of a page. TensorFlow computes on an array where it lies when its address is a multiple of 64
 * bytes, and copies it otherwise. A buffer that could be resized gets pages of its own from V8; any other stands 16
 * bytes behind the start of one.
 */
export function pageAligned(length: number): Float32Array {
  const sizeBytes = length * Float32Array.BYTES_PER_ELEMENT;
  // TypeScript's ES2023 library does not know the option, which Node has had since version 20.
  const Resizable = ArrayBuffer as new (size: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new Float32Array(new Resizable(sizeBytes, { maxByteLength: sizeBytes }), 0, length);
}
