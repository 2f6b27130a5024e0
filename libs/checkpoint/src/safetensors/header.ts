// The safetensors format (huggingface/safetensors, README and tensor.rs): 8 bytes of little-endian
// header length, a JSON header padded with spaces to a multiple of 8, then the tensors' bytes, row-major
// and little-endian, without holes. Like the reference writer: larger element types first, then by name.
import { CriaError } from '@cria/runtime';
import { elementsOf } from '../flat-layout.js';
import { DTYPE_BYTES, isDtype, type Dtype } from './dtype.js';
import { topLevelKeys } from './json-keys.js';

/** Limit of the reference reader. */
export const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;
const ALIGNMENT_BYTES = 8;

export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** A tensor's place; `begin` and `end` count bytes from the start of the file. */
export interface TensorEntry extends TensorSpec {
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly tensors: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Size of the whole file. */
  readonly fileBytes: number;
}

/** Header bytes (length prefix included) and every tensor's place in the file. */
export function encodeHeader(
  specs: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): { bytes: Uint8Array; header: SafetensorsHeader } {
  const record: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) record['__metadata__'] = metadata;
  let offset = 0;
  const relative = [...specs].sort(referenceOrder).map((spec) => {
    const begin = offset;
    offset += DTYPE_BYTES[spec.dtype] * elementsOf(spec.shape);
    record[spec.name] = { dtype: spec.dtype, shape: spec.shape, data_offsets: [begin, offset] };
    return { ...spec, begin, end: offset };
  });
  const json = Buffer.from(JSON.stringify(record), 'utf8');
  const headerBytes = Math.ceil(json.length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const bytes = Buffer.alloc(LENGTH_BYTES + headerBytes, ' ');
  bytes.writeBigUInt64LE(BigInt(headerBytes), 0);
  json.copy(bytes, LENGTH_BYTES);
  const tensors = relative.map((t) => ({ ...t, begin: t.begin + bytes.length, end: t.end + bytes.length }));
  return { bytes, header: { tensors, metadata, fileBytes: bytes.length + offset } };
}

function referenceOrder(a: TensorSpec, b: TensorSpec): number {
  const bySize = DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype];
  return bySize !== 0 ? bySize : a.name < b.name ? -1 : 1;
}

/**
 * Length of the JSON header that follows the first 8 bytes.
 *
 * @throws CriaError CHECKPOINT_CORRUPT when the file cannot hold it
 */
export function headerLength(prefix: Uint8Array, fileBytes: number, file: string): number {
  if (fileBytes < LENGTH_BYTES) throw corrupt(file, `has ${fileBytes} bytes, too few for a header`);
  const length = Buffer.from(prefix.buffer, prefix.byteOffset, LENGTH_BYTES).readBigUInt64LE(0);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw corrupt(file, `claims a header of ${length} bytes, the limit is ${MAX_HEADER_BYTES}`);
  }
  if (Number(length) + LENGTH_BYTES > fileBytes) {
    throw corrupt(file, `claims a header of ${length} bytes and has ${fileBytes} bytes in all`);
  }
  return Number(length);
}

/**
 * Reads a header with every check of the reference reader.
 *
 * @param json the header's bytes, without the length prefix
 * @throws CriaError CHECKPOINT_CORRUPT naming file and tensor
 */
export function parseHeader(json: Uint8Array, fileBytes: number, file: string): SafetensorsHeader {
  const record = parseJson(json, file);
  const dataStart = LENGTH_BYTES + json.byteLength;
  const { __metadata__: metadata, ...infos } = record;
  const tensors = Object.entries(infos)
    .map(([name, info]) => tensorEntry(name, info, { file, dataStart }))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = dataStart;
  for (const tensor of tensors) {
    if (tensor.begin !== end) {
      const what = tensor.begin > end ? 'leaves a hole before' : 'overlaps the bytes before';
      throw corrupt(file, `${what} tensor ${tensor.name}`);
    }
    end = tensor.end;
  }
  if (end !== fileBytes) throw corrupt(file, `has ${fileBytes} bytes, its header describes ${end}`);
  return { tensors, metadata: metadataOf(metadata, file), fileBytes };
}

function parseJson(json: Uint8Array, file: string): Record<string, unknown> {
  let record: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    record = JSON.parse(text);
  } catch (cause) {
    throw corrupt(file, 'has a header that is not JSON in UTF-8', cause);
  }
  if (!text.startsWith('{') || typeof record !== 'object' || record === null) {
    throw corrupt(file, 'has a header that is not a JSON object');
  }
  const names = new Set<string>();
  for (const name of topLevelKeys(text)) {
    if (names.has(name)) throw corrupt(file, `names tensor ${name} twice`);
    names.add(name);
  }
  return record as Record<string, unknown>;
}

function tensorEntry(
  name: string,
  info: unknown,
  { file, dataStart }: { file: string; dataStart: number },
): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = (info ?? {}) as Record<string, unknown>;
  if (!isDtype(dtype)) throw corrupt(file, `tensor ${name}: unknown type ${JSON.stringify(dtype)}`);
  if (!isCountList(shape)) throw corrupt(file, `tensor ${name}: shape is not a list of sizes`);
  if (!isCountList(offsets) || offsets.length !== 2)
    throw corrupt(file, `tensor ${name}: data_offsets must be [begin, end]`);
  const [begin, end] = offsets as unknown as [number, number];
  const sizeBytes = elementsOf(shape) * DTYPE_BYTES[dtype];
  if (end - begin !== sizeBytes) {
    throw corrupt(
      file,
      `tensor ${name}: ${end - begin} bytes, ${dtype} [${shape.join(', ')}] takes ${sizeBytes}`,
    );
  }
  return { name, dtype, shape, begin: begin + dataStart, end: end + dataStart };
}

function isCountList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function metadataOf(metadata: unknown, file: string): Record<string, string> {
  if (metadata === undefined) return {};
  const isMap = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
  if (!isMap || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw corrupt(file, 'has __metadata__ that is not a map of texts');
  }
  return metadata as Record<string, string>;
}

function corrupt(file: string, what: string, cause?: unknown): CriaError {
  return new CriaError('CHECKPOINT_CORRUPT', `${file} ${what}`, { context: { file }, cause });
}
