// Every layer once more, forward only, in double precision and as the paper writes it. What the kernels are held
// against: values directly, gradients by finite differences of these.

export type Values = Float64Array;

/** y_MN = x_MC w_NC^T */
export function plainLinear(x: Values, w: Values, rows: number, out: number, inner: number): Values {
  const y = new Float64Array(rows * out);
  for (let m = 0; m < rows; m++) {
    for (let n = 0; n < out; n++) {
      let sum = 0;
      for (let c = 0; c < inner; c++) sum += x[m * inner + c] * w[n * inner + c];
      y[m * out + n] = sum;
    }
  }
  return y;
}

/** b_CR of a_RC */
export function transposed(a: Values, rows: number, columns: number): Values {
  return a.map((_, i) => a[(i % rows) * columns + Math.floor(i / rows)]);
}

export function plainRmsNorm(x: Values, weight: Values, rows: number, width: number, eps: number): Values {
  const y = new Float64Array(rows * width);
  for (let m = 0; m < rows; m++) {
    const row = x.subarray(m * width, (m + 1) * width);
    const rstd = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / width + eps);
    row.forEach((value, c) => (y[m * width + c] = value * rstd * weight[c]));
  }
  return y;
}

export function plainSwiglu(gate: Values, up: Values): Values {
  return gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]);
}

export interface AttentionSizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/** out_BTHD = softmax(q_BTHD k_BSKD^T / sqrt(D)) v_BSKD, causal. */
export function plainAttention(q: Values, k: Values, v: Values, sizes: AttentionSizes): Values {
  const { batch, queries, keys, heads, kvHeads, headSize } = sizes;
  const out = new Float64Array(q.length);
  const group = heads / kvHeads;
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < queries; t++) {
      for (let h = 0; h < heads; h++) {
        const kv = Math.floor(h / group);
        const query = ((b * queries + t) * heads + h) * headSize;
        const keyAt = (s: number): number => ((b * keys + s) * kvHeads + kv) * headSize;
        const visible = keys - queries + t + 1;
        const scores = Array.from({ length: visible }, (_, s) => {
          let dot = 0;
          for (let d = 0; d < headSize; d++) dot += q[query + d] * k[keyAt(s) + d];
          return dot / Math.sqrt(headSize);
        });
        const top = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - top));
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        for (let d = 0; d < headSize; d++) {
          weights.forEach((weight, s) => (out[query + d] += (weight / total) * v[keyAt(s) + d]));
        }
      }
    }
  }
  return out;
}

/** Half-split rotation of x_MHD with tables [positions, D / 2]. */
export function plainRotary(
  x: Values,
  cosines: Values,
  sines: Values,
  sizes: { heads: number; headSize: number; length: number; first: number },
): Values {
  const { heads, headSize, length, first } = sizes;
  const half = headSize / 2;
  return x.map((value, i) => {
    const d = i % headSize;
    const row = Math.floor(i / (heads * headSize));
    const at = (first + (row % length)) * half + (d % half);
    const partner = d < half ? -x[i + half] : x[i - half];
    return value * cosines[at] + partner * sines[at];
  });
}

/** Cross-entropy of each row of x_MC w_VC^T in nats. */
export function plainHeadLosses(x: Values, w: Values, targets: Int32Array, width: number): Values {
  const rows = targets.length;
  const vocabulary = w.length / width;
  const logits = plainLinear(x, w, rows, vocabulary, width);
  return Float64Array.from(targets, (target, m) => {
    const row = logits.subarray(m * vocabulary, (m + 1) * vocabulary);
    const top = row.reduce((largest, value) => Math.max(largest, value), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - top), 0);
    return top + Math.log(sum) - row[target];
  });
}

/** Central differences of `f` at every element of `x`, which is changed and restored. */
export function finiteDifferences(x: Values, f: () => number, step = 1e-4): Values {
  return x.map((value, i) => {
    x[i] = value + step;
    const above = f();
    x[i] = value - step;
    const below = f();
    x[i] = value;
    return (above - below) / (2 * step);
  });
}

export function dot(a: Values, b: Values): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
