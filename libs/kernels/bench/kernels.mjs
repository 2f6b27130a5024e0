// Speed of every kernel in % of what this machine's registers can do at that moment.
//
//   node bench/kernels.mjs [--threads N] [--instruction-set NAME] [--dtype f32|bf16] [--only TEXT] [--json]
//
// A host gives only half its speed now and then, for seconds and unseen in steal time. So every sample stands between
// two probes of the registers' peak, samples with a slow probe are dropped, and the median of the others is reported.
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { BF16, F32, requireAddon, selectInstructionSet } from '../dist/native/index.js';

const { values: flags } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    'instruction-set': { type: 'string', default: 'auto' },
    dtype: { type: 'string', default: 'f32,bf16' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});

const SAMPLES = 15;
const GOOD_PROBE = 0.85;
const PROBE_MS = 2;
const VOCABULARY = 50304;
const SEGMENT_BYTES = 512 * 2 ** 20;

const instructionSet = selectInstructionSet(flags['instruction-set']);
const context = new (requireAddon().NativeContext)(instructionSet, Number(flags.threads));
const [a, b, c, out] = Array.from({ length: 4 }, () => context.allocate(SEGMENT_BYTES));
for (const segment of [a, b, c]) fillWithOrdinaryNumbers(segment);
const tokens = Int32Array.from({ length: 4096 }, (_, i) => (i * 7919) % VOCABULARY);

/** bf16 numbers (and pairs of them as f32) of either sign with magnitudes near 2^-7. */
function fillWithOrdinaryNumbers(segment) {
  const words = Uint16Array.from(
    { length: 2 ** 22 },
    (_, i) => 0x3c00 | ((Math.imul(i, 2654435761) >>> 16) & 0x80ff),
  );
  for (let at = 0; at < SEGMENT_BYTES; at += words.byteLength) context.write(segment + at, words);
}

/** Multiply-adds count two. Bytes are what has to move at least. */
function* cases(dtype) {
  const size = dtype === BF16 ? 2 : 4;
  const layers = [
    [2048, 256, 256],
    [2048, 1024, 256],
    [2048, 256, 1024],
    [1024, 512, 512],
    [1024, 2048, 512],
    [1024, 1024, 1024],
    [1024, 4096, 1024],
    [1024, 1024, 4096],
  ];
  for (const [m, n, k] of layers) {
    const flops = 2 * m * n * k;
    const shape = `${m} x ${n} x ${k}`;
    yield [
      `linear forward ${shape}`,
      { flops },
      () => context.linearForward(out, a, b, null, m, n, k, dtype, dtype),
    ];
    yield [
      `linear backward input ${shape}`,
      { flops },
      () => context.linearBackwardInput(out, a, b, m, n, k, false, dtype, F32),
    ];
    yield [
      `linear backward weight ${shape}`,
      { flops },
      () => context.linearBackwardWeight(out, a, b, m, n, k, false, dtype),
    ];
  }
  for (const [m, width] of [
    [512, 256],
    [1024, 512],
    [1024, 1024],
  ]) {
    const [dx, dw] = [out + 2 ** 20, out + 2 ** 24];
    yield [
      `head, loss and gradients ${m} x ${width}`,
      { flops: 6 * m * width * VOCABULARY },
      () => context.headLoss(out, dx, dw, a, b, tokens, m, width, VOCABULARY, false, dtype),
    ];
  }
  for (const [batch, length, heads, kvHeads, headSize] of [
    [8, 256, 8, 2, 32],
    [2, 512, 8, 2, 64],
    [1, 1024, 16, 2, 64],
  ]) {
    const shape = [batch, length, length, heads, kvHeads, headSize, dtype];
    const flops = 2 * batch * length * length * heads * headSize;
    const name = `attention ${batch} x ${length}, ${heads}/${kvHeads} heads of ${headSize}`;
    const lse = out + 2 ** 28;
    yield [`${name}, forward`, { flops }, () => context.attentionForward(out, lse, a, b, c, ...shape)];
    const places = [out, out + 2 ** 26, out + 2 ** 27, a, lse, a, a, b, c];
    yield [`${name}, backward`, { flops: 2.5 * flops }, () => context.attentionBackward(...places, ...shape)];
  }
  const [rows, width, inner] = [1024, 1024, 4096];
  const rstd = out + 2 ** 28;
  yield [
    `RMSNorm forward ${rows} x ${width}`,
    { bytes: rows * width * (4 + size) },
    () => context.rmsNormForward(out, rstd, a, b, rows, width, 1e-6, dtype),
  ];
  yield [
    `RMSNorm backward ${rows} x ${width}`,
    { bytes: rows * width * 18 },
    () => context.rmsNormBackward(out, out + 2 ** 26, out + 2 ** 27, rstd, c, a, b, c, rows, width),
  ];
  yield [
    `SwiGLU forward ${rows} x ${inner}`,
    { bytes: rows * inner * 3 * size },
    () => context.swigluForward(out, a, b, rows * inner, dtype),
  ];
  yield [
    `SwiGLU backward ${rows} x ${inner}`,
    { bytes: rows * inner * 5 * size },
    () => context.swigluBackward(out, out + 2 ** 26, a, b, c, rows * inner, dtype),
  ];
}

function measure(dtype, [name, { flops, bytes }, run]) {
  run();
  const samples = [];
  for (let i = 0; i < SAMPLES; i++) {
    const before = context.peakFlops(PROBE_MS, dtype);
    const begin = performance.now();
    run();
    const ms = performance.now() - begin;
    samples.push({ ms, probe: Math.min(before, context.peakFlops(PROBE_MS, dtype)) });
  }
  const peak = Math.max(...samples.map(({ probe }) => probe));
  const good = samples.filter(({ probe }) => probe >= GOOD_PROBE * peak).sort((x, y) => x.ms - y.ms);
  const { ms } = good[Math.floor(good.length / 2)];
  const rate = flops === undefined ? { gigabytesPerSecond: bytes / ms / 1e6 } : { gflops: flops / ms / 1e6 };
  const share = flops === undefined ? {} : { shareOfPeak: flops / ms / (peak / 1e3) };
  return {
    name,
    dtype: dtype === BF16 ? 'bf16' : 'f32',
    ms,
    ...rate,
    ...share,
    goodSamples: good.length,
    peakGflops: peak / 1e9,
  };
}

function line({ name, dtype, ms, gflops, gigabytesPerSecond, shareOfPeak, goodSamples }) {
  const rate = gflops === undefined ? `${gigabytesPerSecond.toFixed(1)} GB/s` : `${gflops.toFixed(0)} GF`;
  const share = shareOfPeak === undefined ? '' : `${(100 * shareOfPeak).toFixed(0)} %`;
  return [
    dtype.padEnd(5),
    name.padEnd(52),
    `${ms.toFixed(2)} ms`.padStart(11),
    rate.padStart(10),
    share.padStart(6),
  ]
    .concat(`(${goodSamples}/${SAMPLES})`)
    .join(' ');
}

const results = [];
if (!flags.json) console.log(`${instructionSet}, ${flags.threads} threads`);
const dtypes = flags.dtype.split(',').map((name) => (name === 'bf16' ? BF16 : F32));
for (const dtype of dtypes) {
  for (const one of cases(dtype)) {
    if (!one[0].includes(flags.only)) continue;
    results.push(measure(dtype, one));
    if (!flags.json) console.log(line(results[results.length - 1]));
  }
}
if (flags.json) console.log(JSON.stringify({ instructionSet, threads: Number(flags.threads), results }));
