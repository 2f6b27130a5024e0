// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), slicing by 8 (Kounavis & Berry, 2005): eight bytes at a time
// by eight tables.
const POLYNOMIAL = 0x82f63b78;
const TABLES = buildTables();

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256];
    tables[i] = (before >>> 8) ^ tables[before & 255];
  }
  return tables;
}

/** `Kernels.crc32c`. */
export function crc32c(bytes: Uint8Array, crc = 0): number {
  let state = ~crc;
  let at = 0;
  while (at < bytes.length && (bytes.byteOffset + at) % 4 !== 0) state = step(state, bytes[at++]);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, ((bytes.length - at) >>> 3) * 2);
  state = steps8(state, words);
  for (at += 4 * words.length; at < bytes.length; at++) state = step(state, bytes[at]);
  return ~state >>> 0;
}

function step(state: number, byte: number): number {
  return (state >>> 8) ^ TABLES[(state ^ byte) & 255];
}

function steps8(initial: number, words: Int32Array): number {
  const tables = TABLES;
  let state = initial;
  for (let i = 0; i < words.length; i += 2) {
    const a = state ^ words[i];
    const b = words[i + 1];
    state =
      tables[1792 + (a & 255)] ^
      tables[1536 + ((a >>> 8) & 255)] ^
      tables[1280 + ((a >>> 16) & 255)] ^
      tables[1024 + (a >>> 24)] ^
      tables[768 + (b & 255)] ^
      tables[512 + ((b >>> 8) & 255)] ^
      tables[256 + ((b >>> 16) & 255)] ^
      tables[b >>> 24];
  }
  return state;
}
