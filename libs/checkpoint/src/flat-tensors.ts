// Reads ranges of a flat array from named tensors: the inverse of what the writer does.
import { CriaError } from '@cria/runtime';
import { segmentsOf, type FlatLayout } from './flat-layout.js';
import type { TensorSet } from './safetensors/tensor-set.js';
import { tensorName, type StateKind } from './tensor-files.js';

/** @throws CriaError CHECKPOINT_INCOMPATIBLE naming the first tensor that is missing or of another shape */
export function checkFits(tensors: TensorSet, layout: FlatLayout, kinds: readonly StateKind[]): void {
  for (const kind of kinds) {
    for (const { name: parameter, shape } of layout.tensors) {
      const name = tensorName(kind, parameter);
      const found = tensors.find(name);
      const [has, wants] = [found?.shape.join(', '), shape.join(', ')];
      if (has === wants) continue;
      const problem = found === null ? 'is missing' : `is [${has}], the configuration says [${wants}]`;
      throw new CriaError('CHECKPOINT_INCOMPATIBLE', `tensor ${name} ${problem}`, {
        context: { tensor: name },
      });
    }
  }
}

/** Fills `out` with elements [from, from + out.length) of a flat array; padding is 0. */
export async function readFlatRange(
  { tensors, layout, kind }: { tensors: TensorSet; layout: FlatLayout; kind: StateKind },
  from: number,
  out: Float32Array,
): Promise<void> {
  out.fill(0);
  for (const { tensor, offsetInTensor, offsetInRange, count } of segmentsOf(layout, from, out.length)) {
    const name = tensorName(kind, layout.tensors[tensor]?.name ?? '');
    await tensors.read(name, offsetInTensor, out.subarray(offsetInRange, offsetInRange + count));
  }
}
