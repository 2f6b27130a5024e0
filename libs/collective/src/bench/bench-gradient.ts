import { Rng } from '@cria/runtime';

const ROW = 1024;
const TABLE = 1 << 18;

/**
 * Gradients like a Llama's (docs/numerics.md): normal, the rms of each row of 1,024 log-uniform between 2e-5 and 5e-4,
 * 45 % of the rows zero. The same rows are zero for every worker, as unused tokens are.
 */
export class BenchGradient {
  readonly #normals: Float32Array;
  readonly #index: number;

  constructor(index: number) {
    this.#index = index;
    const rng = new Rng(1000 + index);
    this.#normals = Float32Array.from({ length: TABLE }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - rng.next()));
      return radius * Math.cos(2 * Math.PI * rng.next());
    });
  }

  /** Writes the values of the flat range that begins at `from`, a multiple of 1,024. */
  fill(from: number, out: Float32Array): void {
    for (let at = 0; at < out.length; at += ROW) {
      const row = new Rng((from + at) / ROW, 5);
      const isZero = row.next() < 0.45;
      const rms = isZero ? 0 : 2e-5 * Math.exp(row.next() * Math.log(25));
      const start = new Rng((from + at) / ROW, this.#index).below(TABLE - ROW);
      const end = Math.min(at + ROW, out.length);
      for (let i = at; i < end; i++) out[i] = isZero ? 0 : rms * this.#normals[start + i - at];
    }
  }
}
