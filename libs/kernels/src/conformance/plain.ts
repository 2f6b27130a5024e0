// The same mathematics once more, as plainly as possible and with BigInt: what implementations are held against.
import { Rng } from '@cria/runtime';

export const mask64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** x on the grid 2^-gridBits, nearest even, by exact rational arithmetic; 0 where x is out of range. */
export function plainRound(x: number, gridBits: number): bigint {
  if (!(Math.abs(x) < 512)) return 0n;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, x);
  const exponentBits = (bits.getUint16(0) >> 4) & 0x7ff;
  if (exponentBits === 0) return 0n;
  const mantissa = (bits.getBigUint64(0) & 0xfffffffffffffn) | (1n << 52n);
  const shift = BigInt(exponentBits - 1075 + gridBits);
  const magnitude = shift >= 0n ? mantissa << shift : roundHalfEven(mantissa, -shift);
  return x < 0 ? -magnitude : magnitude;
}

function roundHalfEven(mantissa: bigint, shift: bigint): bigint {
  const floor = mantissa >> shift;
  const rest = mantissa - (floor << shift);
  const half = 1n << (shift - 1n);
  const up = rest > half || (rest === half && (floor & 1n) === 1n);
  return up ? floor + 1n : floor;
}

function mix32(word: bigint): bigint {
  let x = BigInt.asUintN(32, word);
  x = BigInt.asUintN(32, (x ^ (x >> 16n)) * 0x7feb352dn);
  x = BigInt.asUintN(32, (x ^ (x >> 15n)) * 0x846ca68bn);
  return x ^ (x >> 16n);
}

function weight(seed: bigint, index: number): bigint {
  const low = mix32(seed + BigInt(index));
  return (mix32(low + 0x9e3779b9n) << 32n) | low | 1n;
}

/** L of integers whose first has the flat index `from`. */
export function plainDigest(values: readonly bigint[], from: number): bigint {
  let total = 0n;
  values.forEach((q, i) => {
    const block = weight(0x85a308d3n, Math.floor((from + i) / 256));
    total += block * weight(0x243f6a88n, (from + i) % 256) * q;
  });
  return mask64(total);
}

/** The packed form, bit by bit. */
export function plainPack(values: readonly bigint[]): Uint8Array {
  const widths: number[] = [];
  const payload: number[] = [];
  for (let at = 0; at < values.length; at += 256) {
    const block = values.slice(at, at + 256);
    const zigzags = block.map((q) => (q < 0n ? -2n * q - 1n : 2n * q));
    const width = zigzags.reduce((a, b) => a | b).toString(2).length;
    const isZero = zigzags.every((z) => z === 0n);
    widths.push(isZero ? 0 : width);
    if (!isZero) payload.push(...(width > 32 ? plainWide(block) : plainLanes(zigzags, width)));
  }
  return Uint8Array.from([...widths, ...payload]);
}

function plainLanes(zigzags: readonly bigint[], width: number): number[] {
  const bytes = new Array<number>(32 * width).fill(0);
  zigzags.forEach((zigzag, j) => {
    for (let bit = 0; bit < width; bit++) {
      if (((zigzag >> BigInt(bit)) & 1n) === 0n) continue;
      const inLane = Math.floor(j / 8) * width + bit;
      const word = 8 * Math.floor(inLane / 32) + (j % 8);
      const byte = 4 * word + Math.floor((inLane % 32) / 8);
      bytes[byte] = (bytes[byte] ?? 0) | (1 << (inLane % 8));
    }
  });
  return bytes;
}

function plainWide(block: readonly bigint[]): number[] {
  const view = new DataView(new ArrayBuffer(2048));
  block.forEach((q, j) => view.setBigInt64(8 * j, q, true));
  return [...new Uint8Array(view.buffer)];
}

/** A normal deviate (Box-Muller). */
export function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.next())) * Math.cos(2 * Math.PI * rng.next());
}

/**
 * A gradient like a Llama's: rows of 256 normal values, rms log-uniform between 2e-5 and 5e-4, 45 % of the rows zero.
 */
export function gradientLike(seed: number, length: number): Float32Array {
  const rng = new Rng(seed, 77);
  const gradient = new Float32Array(length);
  for (let row = 0; row < length; row += 256) {
    const isZero = rng.next() < 0.45;
    const rms = 2e-5 * 25 ** rng.next();
    if (isZero) continue;
    for (let i = row; i < Math.min(row + 256, length); i++) gradient[i] = rms * normal(rng);
  }
  return gradient;
}
