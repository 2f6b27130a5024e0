// Which tensor stands in which file: one file per kind, or several when it would be larger than a
// limit, named and indexed as Hugging Face does. Depends on the layout alone, never on the workers.
import { DTYPE_BYTES } from './safetensors/dtype.js';
import { encodeHeader, type SafetensorsHeader } from './safetensors/header.js';
import { elementsOf, type FlatLayout } from './flat-layout.js';

/** The three flat arrays of the state. */
export const STATE_KINDS = ['params', 'expAvg', 'expAvgSq'] as const;
export type StateKind = (typeof STATE_KINDS)[number];

/** Older transformers refuse files without it. */
const METADATA = { format: 'pt' };

export interface TensorFile {
  readonly name: string;
  /** Header bytes, length prefix included. */
  readonly head: Uint8Array;
  readonly header: SafetensorsHeader;
}

export interface TensorFilePlan {
  readonly files: readonly TensorFile[];
  /** Content of <stem>.safetensors.index.json when there are several files. */
  readonly index: { readonly name: string; readonly bytes: Uint8Array } | null;
}

interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Element types that are written. */
export type StoredDtype = 'F32' | 'BF16';

/** Name of a parameter's tensor in the files of a kind. */
export function tensorName(kind: StateKind, parameter: string): string {
  if (kind === 'params') return parameter;
  return kind === 'expAvg' ? `exp_avg.${parameter}` : `exp_avg_sq.${parameter}`;
}

/** model*.safetensors: the weights under their Hugging Face names; f32 masters unless exported otherwise. */
export function modelFiles(
  layout: FlatLayout,
  maxFileBytes: number,
  dtype: StoredDtype = 'F32',
): TensorFilePlan {
  return planFiles('model', layout.tensors, { maxFileBytes, dtype });
}

/** optimizer*.safetensors: both moments of AdamW. */
export function optimizerFiles(layout: FlatLayout, maxFileBytes: number): TensorFilePlan {
  const moments = (['expAvg', 'expAvgSq'] as const).flatMap((kind) =>
    layout.tensors.map(({ name, shape }) => ({ name: tensorName(kind, name), shape })),
  );
  return planFiles('optimizer', moments, { maxFileBytes, dtype: 'F32' });
}

/** Files are filled in the given order; a tensor larger than the limit has a file to itself. */
function planFiles(
  stem: string,
  tensors: readonly NamedShape[],
  { maxFileBytes, dtype }: { maxFileBytes: number; dtype: StoredDtype },
): TensorFilePlan {
  const groups: NamedShape[][] = [[]];
  let groupBytes = 0;
  for (const tensor of tensors) {
    const sizeBytes = DTYPE_BYTES[dtype] * elementsOf(tensor.shape);
    if (groupBytes > 0 && groupBytes + sizeBytes > maxFileBytes) {
      groups.push([]);
      groupBytes = 0;
    }
    groups.at(-1)?.push(tensor);
    groupBytes += sizeBytes;
  }
  const files = groups.map((group, i) => tensorFile(fileName(stem, i + 1, groups.length), group, dtype));
  return { files, index: files.length > 1 ? indexOf(stem, files) : null };
}

function fileName(stem: string, number: number, count: number): string {
  const digits = (value: number): string => String(value).padStart(5, '0');
  return count === 1 ? `${stem}.safetensors` : `${stem}-${digits(number)}-of-${digits(count)}.safetensors`;
}

function tensorFile(name: string, tensors: readonly NamedShape[], dtype: StoredDtype): TensorFile {
  const specs = tensors.map(({ name: tensor, shape }) => ({ name: tensor, dtype, shape }));
  const { bytes, header } = encodeHeader(specs, METADATA);
  return { name, head: bytes, header };
}

function indexOf(stem: string, files: readonly TensorFile[]): { name: string; bytes: Uint8Array } {
  const tensors = files.flatMap(({ name, header }) =>
    header.tensors.map((tensor) => ({ ...tensor, file: name })),
  );
  const index = {
    metadata: {
      total_parameters: tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0),
      total_size: tensors.reduce((sum, { begin, end }) => sum + end - begin, 0),
    },
    weight_map: Object.fromEntries(
      tensors.map(({ name, file }) => [name, file] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  };
  return {
    name: `${stem}.safetensors.index.json`,
    bytes: Buffer.from(`${JSON.stringify(index, null, 2)}\n`, 'utf8'),
  };
}
