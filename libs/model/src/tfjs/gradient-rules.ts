// The derivative of each operation that decoder.ts uses, for tfjs' automatic differentiation. tfjs-core ships such rules
// as bundler-only modules that Node cannot load; only the large `@tensorflow/tfjs` package loads them. Where they are
// loaded already (tfjs-node brings that package), they are left alone.
import {
  broadcast_util,
  concat,
  getGradient,
  matMul,
  mul,
  neg,
  ones,
  registerGradient,
} from '@tensorflow/tfjs-core';
import { reshape, split, square, sub, sum, transpose } from '@tensorflow/tfjs-core';
import type { GradConfig, Tensor } from '@tensorflow/tfjs-core';
import { assert } from '@cria/runtime';

/** Registers what is not there yet. */
export function registerGradientRules(): void {
  for (const rule of RULES) if (getGradient(rule.kernelName) === undefined) registerGradient(rule);
}

const RULES: readonly GradConfig[] = [
  {
    kernelName: 'Add',
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({ a: () => sumTo(one(dy), a), b: () => sumTo(one(dy), b) }),
  },
  {
    kernelName: 'Multiply',
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => ({ a: () => sumTo(mul(one(dy), b), a), b: () => sumTo(mul(one(dy), a), b) }),
  },
  { kernelName: 'Neg', gradFunc: (dy) => ({ x: () => neg(one(dy)) }) },
  {
    kernelName: 'Square',
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({ x: () => mul(one(dy), mul(x, 2)) }),
  },
  {
    kernelName: 'Rsqrt',
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => mul(one(dy), mul(mul(square(y), y), -0.5)) }),
  },
  {
    kernelName: 'Sigmoid',
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: () => mul(one(dy), sub(y, square(y))) }),
  },
  {
    // Of the last axis, kept as an axis of length 1.
    kernelName: 'Mean',
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => {
      assert(one(dy).rank === x.rank, 'mean keeps its axis');
      return { x: () => mul(one(dy), mul(ones(x.shape), one(dy).size / x.size)) };
    },
  },
  {
    kernelName: 'Softmax',
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({
      logits: () => {
        const weighted = mul(one(dy), y);
        return sub(weighted, mul(sum(weighted, -1, true), y));
      },
    }),
  },
  {
    kernelName: 'Reshape',
    inputsToSave: ['x'],
    gradFunc: (dy, [x]) => ({ x: () => reshape(one(dy), x.shape) }),
  },
  {
    kernelName: 'Transpose',
    gradFunc: (dy, _saved, attributes) => ({
      x: () => transpose(one(dy), inversePermutation(attributes['perm'] as number[])),
    }),
  },
  {
    kernelName: 'SplitV',
    gradFunc: (dy, _saved, attributes) => ({ x: () => concat(dy as Tensor[], attributes['axis'] as number) }),
  },
  {
    kernelName: 'Concat',
    saveAllInputs: true,
    gradFunc: (dy, inputs, attributes) => {
      const axis = attributes['axis'] as number;
      const sizes = inputs.map((input) => input.shape[axis]);
      // tfjs names the inputs of a concatenation 0, 1, ...
      return split(one(dy), sizes, axis).map((piece) => () => piece) as unknown as ReturnType<
        GradConfig['gradFunc']
      >;
    },
  },
  {
    kernelName: 'BatchMatMul',
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b], attributes) => {
      assert(attributes['transposeA'] !== true, 'products in the decoder transpose only their right side');
      const dc = one(dy);
      if (attributes['transposeB'] === true) return { a: () => matMul(dc, b), b: () => matMul(dc, a, true) };
      return { a: () => matMul(dc, b, false, true), b: () => matMul(a, dc, true) };
    },
  },
];

function one(dy: Tensor | Tensor[]): Tensor {
  assert(!Array.isArray(dy), 'an operation with one output has one gradient');
  return dy;
}

/** Undoes broadcasting: adds up over the axes along which `input` was repeated. */
function sumTo(gradient: Tensor, input: Tensor): Tensor {
  const axes = broadcast_util.getReductionAxes(input.shape, gradient.shape);
  return axes.length === 0 ? gradient : reshape(sum(gradient, axes), input.shape);
}

function inversePermutation(permutation: readonly number[]): number[] {
  const inverse = new Array<number>(permutation.length);
  permutation.forEach((from, to) => (inverse[from] = to));
  return inverse;
}
