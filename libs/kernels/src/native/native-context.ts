// The addon's class, typed. Argument order is that of native/include/cria_kernels.h: outputs, saved activations,
// inputs, sizes.
//
// Legend: B batch, T queries or positions, S keys, H heads, K key/value heads, D head size; M rows (tokens), N output
// features, C input features or width, V vocabulary.

/** Element types of tensors as the addon numbers them. */
export const F32 = 0;
export const BF16 = 1;
export type Dtype = typeof F32 | typeof BF16;

/** Bytes per element. */
export function bytesOf(dtype: Dtype): number {
  return dtype === BF16 ? 2 : 4;
}

/**
 * Memory that a kernel reads or writes: an address (a segment's, from `allocate` or `attach`, plus a byte offset) or a
 * typed array, which may lie over a SharedArrayBuffer.
 */
export type Memory = number | NodeJS.TypedArray;

/**
 * Kernels of one instruction set with their threads and memory. Calls block the calling thread until all is done, and
 * must not overlap.
 *
 * Every call checks its buffers: a RangeError names the argument that is too small or misaligned. An error with code
 * OUT_OF_MEMORY, MALFORMED or BAD_TOKEN says why nothing was computed.
 */
export interface NativeContext {
  /** Ends the threads. Any later call throws; memory is freed with the object. */
  dispose(): void;
  /** A segment of zeroed memory; its address, or null when there is no memory. */
  allocate(sizeBytes: number): number | null;
  /** A typed array as a segment; it is kept alive until `release`. */
  attach(array: NodeJS.TypedArray): number;
  release(address: number): void;
  /** Copies to `out`, all of it. */
  read(out: NodeJS.TypedArray, source: Memory): void;
  /** Copies all of `source`. */
  write(destination: Memory, source: NodeJS.TypedArray): void;
  fillZero(destination: Memory, sizeBytes: number): void;
  /** FLOP/s of registers alone on all threads, measured for about so long: what every product is held against. */
  peakFlops(milliseconds: number, dtype: Dtype): number;

  /** y_MN = x_MC w_NC^T (+ residual_MN in f32; y is f32 then). */
  linearForward(
    y: Memory,
    x: Memory,
    w: Memory,
    residual: Memory | null,
    rows: number,
    outFeatures: number,
    inFeatures: number,
    operands: Dtype,
    result: Dtype,
  ): void;
  /** dx_MC = dy_MN w_NC; with `accumulate` (f32 results) added to what is there. */
  linearBackwardInput(
    dx: Memory,
    dy: Memory,
    w: Memory,
    rows: number,
    outFeatures: number,
    inFeatures: number,
    accumulate: boolean,
    operands: Dtype,
    result: Dtype,
  ): void;
  /** dw_NC = dy_MN^T x_MC in f32; with `accumulate` added to what is there. */
  linearBackwardWeight(
    dw: Memory,
    dy: Memory,
    x: Memory,
    rows: number,
    outFeatures: number,
    inFeatures: number,
    accumulate: boolean,
    operands: Dtype,
  ): void;

  /** y_MC = table_VC[tokens_M], y f32; the table is stored in `stored`. */
  embeddingForward(
    y: Memory,
    tokens: Memory,
    table: Memory,
    rows: number,
    width: number,
    vocabulary: number,
    stored: Dtype,
  ): void;
  /** dtable_VC[tokens_M] += dy_MC, rows ascending, f32. */
  embeddingBackward(
    dtable: Memory,
    dy: Memory,
    tokens: Memory,
    rows: number,
    width: number,
    vocabulary: number,
  ): void;

  /** y_MC = x_MC * rstd_M * weight_C, rstd = 1 / sqrt(mean(x^2) + eps). x, weight, rstd f32. */
  rmsNormForward(
    y: Memory,
    rstd: Memory,
    x: Memory,
    weight: Memory,
    rows: number,
    width: number,
    eps: number,
    result: Dtype,
  ): void;
  /**
   * dx_MC = residualGradient_MC + gradient through the norm; may be in place. dxLow gets the same in bf16. dweight_C is
   * overwritten. f32.
   */
  rmsNormBackward(
    dx: Memory,
    dxLow: Memory | null,
    dweight: Memory,
    rstd: Memory,
    residualGradient: Memory | null,
    dy: Memory,
    x: Memory,
    weight: Memory,
    rows: number,
    width: number,
  ): void;

  /**
   * Turns x_MHD in place, half-split; row r stands at position first + r % length of the tables [positions, D / 2].
   * `inverse` is the backward pass.
   */
  rotary(
    x: Memory,
    cosines: Memory,
    sines: Memory,
    rows: number,
    length: number,
    first: number,
    heads: number,
    headSize: number,
    inverse: boolean,
    dtype: Dtype,
  ): void;

  /** out_BTHD = softmax(q_BTHD k_BSKD^T / sqrt(D)) v_BSKD, causal: query i sees the keys up to S - T + i. lse_BHT f32. */
  attentionForward(
    out: Memory,
    lse: Memory,
    q: Memory,
    k: Memory,
    v: Memory,
    batch: number,
    queries: number,
    keys: number,
    heads: number,
    kvHeads: number,
    headSize: number,
    dtype: Dtype,
  ): void;
  /** Gradients of {@link attentionForward}; queries = keys. */
  attentionBackward(
    dq: Memory,
    dk: Memory,
    dv: Memory,
    out: Memory,
    lse: Memory,
    dout: Memory,
    q: Memory,
    k: Memory,
    v: Memory,
    batch: number,
    queries: number,
    keys: number,
    heads: number,
    kvHeads: number,
    headSize: number,
    dtype: Dtype,
  ): void;

  /** y = silu(gate) * up. */
  swigluForward(y: Memory, gate: Memory, up: Memory, count: number, dtype: Dtype): void;
  /** dgate and dup may be dy, gate or up. */
  swigluBackward(
    dgate: Memory,
    dup: Memory,
    dy: Memory,
    gate: Memory,
    up: Memory,
    count: number,
    dtype: Dtype,
  ): void;

  /**
   * Output head and mean cross-entropy over all rows in one: losses_M in nats, dx_MC and dw_VC (f32, may be null) of
   * the mean. dx is overwritten, dw too unless `accumulate`.
   */
  headLoss(
    losses: Memory,
    dx: Memory | null,
    dw: Memory | null,
    x: Memory,
    w: Memory,
    targets: Memory,
    rows: number,
    width: number,
    vocabulary: number,
    accumulate: boolean,
    operands: Dtype,
  ): void;

  f32ToBf16(out: Memory, values: Memory, count: number): void;
  bf16ToF32(out: Memory, values: Memory, count: number): void;

  // The exact sum and the optimizer: `native-kernels.ts` gives them the shape of `Kernels`. Offsets are in blocks of
  // 256, digests are written to one 64-bit word.
  accumulateGradient(
    small: Memory,
    wide: Memory,
    isWide: Memory,
    digests: Memory,
    gradient: Memory,
    count: number,
    flatBlock: number,
    gridBits: number,
  ): boolean;
  accumulatorDigest(
    digest: Memory,
    small: Memory,
    wide: Memory,
    isWide: Memory,
    blocks: number,
    flatBlock: number,
  ): void;
  digestWords(digest: Memory, words: Memory, count: number, flatBlock: number): void;
  /** Returns the payload's size in bytes. */
  packWidths(widths: Memory, small: Memory, wide: Memory, isWide: Memory, blocks: number): number;
  pack(
    packed: Memory,
    small: Memory,
    wide: Memory,
    isWide: Memory,
    blocks: number,
    payloadBytes: number,
  ): void;
  unpackAdd(
    small: Memory,
    wide: Memory,
    isWide: Memory,
    digest: Memory,
    packed: Uint8Array,
    blocks: number,
    flatBlock: number,
  ): void;
  packedDigest(digest: Memory, packed: Uint8Array, blocks: number, flatBlock: number): void;
  unpackMean(out: Memory, packed: Uint8Array, blocks: number, scale: number): void;
  squareSum(chunks: Memory, values: Memory, count: number): void;
  /** scalars: nine f32 in the order of `cria_adamw_scalars`. */
  adamwUpdate(
    params: Memory,
    expAvg: Memory,
    expAvgSq: Memory,
    gradient: Memory,
    count: number,
    decay: boolean,
    scalars: Float32Array,
  ): void;
  crc32c(bytes: NodeJS.TypedArray, crc: number): number;
}
