// One result: the same bits for every number of threads and on every instruction set, at sizes where work is really
// split (several tiles, several K blocks, several chunks of the head).
import { createHash } from 'node:crypto';
import { Rng } from '@cria/runtime';
import { expect, it } from 'vitest';
import type { InstructionSet, NativeAddon } from './addon.js';
import { BF16, F32 } from './native-context.js';
import type { Dtype, NativeContext } from './native-context.js';
import { describeNative } from './native-suite.js';
import { emptyTensor, randomTensor } from './test-tensor.js';
import type { Stored } from './test-tensor.js';

const THREADS = [1, 2, 3, 8];

/** Runs every layer and hashes all results. */
function run(context: NativeContext, dtype: Dtype): string {
  const rng = new Rng(11);
  const results: NodeJS.TypedArray[] = [];
  const random = (count: number, type: Dtype = dtype): Stored => randomTensor(rng, count, type).stored;
  const out = (count: number, type: Dtype = dtype): Stored => {
    const tensor = emptyTensor(count, type);
    results.push(tensor);
    return tensor;
  };
  linear(context, dtype, random, out);
  attention(context, dtype, random, out);
  normAndSwiglu(context, dtype, random, out);
  headLoss(context, dtype, random, out);
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of results)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}

type Make = (count: number, type?: Dtype) => Stored;

function linear(context: NativeContext, dtype: Dtype, random: Make, out: Make): void {
  const [rows, n, c] = [203, 67, 1100];
  const [x, w, dy] = [random(rows * c), random(n * c), random(rows * n)];
  context.linearForward(out(rows * n), x, w, null, rows, n, c, dtype, dtype);
  context.linearForward(out(rows * n, F32), x, w, random(rows * n, F32), rows, n, c, dtype, F32);
  context.linearBackwardInput(out(rows * c), dy, w, rows, n, c, false, dtype, dtype);
  context.linearBackwardWeight(out(n * c, F32), dy, x, rows, n, c, false, dtype);
}

function attention(context: NativeContext, dtype: Dtype, random: Make, out: Make): void {
  const shape = [2, 131, 131, 4, 2, 18, dtype] as const;
  const [queries, keys] = [2 * 131 * 4 * 18, 2 * 131 * 2 * 18];
  const [q, k, v, dout] = [random(queries), random(keys), random(keys), random(queries)];
  const [y, lse] = [out(queries), out(2 * 4 * 131, F32)];
  context.attentionForward(y, lse, q, k, v, ...shape);
  context.attentionBackward(out(queries), out(keys), out(keys), y, lse, dout, q, k, v, ...shape);
}

function normAndSwiglu(context: NativeContext, dtype: Dtype, random: Make, out: Make): void {
  const [rows, width] = [101, 75];
  const [x, weight, dy] = [random(rows * width, F32), random(width, F32), random(rows * width, F32)];
  const rstd = out(rows, F32);
  context.rmsNormForward(out(rows * width), rstd, x, weight, rows, width, 1e-6, dtype);
  const [dx, dweight] = [out(rows * width, F32), out(width, F32)];
  context.rmsNormBackward(dx, out(rows * width, BF16), dweight, rstd, null, dy, x, weight, rows, width);
  const [gate, up, d] = [random(rows * width), random(rows * width), random(rows * width)];
  context.swigluForward(out(rows * width), gate, up, rows * width, dtype);
  context.swigluBackward(out(rows * width), out(rows * width), d, gate, up, rows * width, dtype);
}

function headLoss(context: NativeContext, dtype: Dtype, random: Make, out: Make): void {
  const [rows, width, vocabulary] = [517, 10, 4300];
  const targets = Int32Array.from({ length: rows }, (_, m) => (m * 977) % vocabulary);
  context.headLoss(
    ...[out(rows, F32), out(rows * width, F32), out(vocabulary * width, F32)],
    ...[random(rows * width), random(vocabulary * width), targets, rows, width, vocabulary, false, dtype],
  );
}

describeNative('the bits of a result', (addon: NativeAddon) => {
  for (const dtype of [F32, BF16] as const) {
    const name = dtype === F32 ? 'f32' : 'bf16';
    let expected = '';
    const hashOn = (set: InstructionSet, threads: number): string => {
      const context = new addon.NativeContext(set, threads);
      const hash = run(context, dtype);
      context.dispose();
      return hash;
    };

    it.each(addon.instructionSets())(
      `%s in ${name}: equal on 1, 2, 3 and 8 threads and on repeats`,
      (set) => {
        expected ||= hashOn(set, 1);
        for (const threads of [...THREADS, 2])
          expect(hashOn(set, threads), `${threads} threads`).toBe(expected);
      },
    );
  }
});
