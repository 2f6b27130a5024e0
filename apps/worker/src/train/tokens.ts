/** Tokens as they travel (uint16 little-endian) as an array of their own, aligned. */
export function tokensOf(bytes: Uint8Array): Uint16Array {
  const copy = new Uint8Array(bytes);
  return new Uint16Array(copy.buffer, 0, copy.length / 2);
}
