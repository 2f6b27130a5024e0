// The few messages of TensorFlow's event.proto and summary.proto that scalars need, written by hand: field tags are
// (number << 3) | wire type, as in Protocol Buffers.
import { maskedCrc32c } from './masked-crc.js';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** SessionLog.START: readers forget what earlier files hold at and after this event's step. */
const SESSION_START = 1;

export interface Scalar {
  readonly tag: string;
  /** Stored as float32. */
  readonly value: number;
}

/** First record of every file. */
export function versionEvent(wallMs: number): Buffer {
  return event(wallMs, 0, field(3, BYTES, text('brain.Event:2')));
}

/** Says that the run goes on from `step`: what was written before at later steps does not count. */
export function sessionStartEvent(wallMs: number, step: number): Buffer {
  return event(wallMs, step, field(7, BYTES, sized(field(1, VARINT, varint(SESSION_START)))));
}

export function scalarsEvent(wallMs: number, step: number, scalars: readonly Scalar[]): Buffer {
  const values = scalars.map(({ tag, value }) => {
    const number = Buffer.alloc(4);
    number.writeFloatLE(value);
    return field(1, BYTES, sized(Buffer.concat([field(1, BYTES, text(tag)), field(2, FIXED32, number)])));
  });
  return event(wallMs, step, field(5, BYTES, sized(Buffer.concat(values))));
}

/** Length, its checksum, and the checksum of the data. */
export const RECORD_OVERHEAD_BYTES = 16;

/** A TFRecord: length, its checksum, the bytes, their checksum. */
export function record(data: Buffer): Buffer {
  const framed = Buffer.alloc(data.length + RECORD_OVERHEAD_BYTES);
  framed.writeBigUInt64LE(BigInt(data.length), 0);
  framed.writeUInt32LE(maskedCrc32c(framed.subarray(0, 8)), 8);
  data.copy(framed, 12);
  framed.writeUInt32LE(maskedCrc32c(data), 12 + data.length);
  return framed;
}

function event(wallMs: number, step: number, payload: Buffer): Buffer {
  const seconds = Buffer.alloc(8);
  seconds.writeDoubleLE(wallMs / 1000);
  // proto3 leaves a zero out.
  const stepField = step === 0 ? Buffer.alloc(0) : field(2, VARINT, varint(step));
  return Buffer.concat([field(1, FIXED64, seconds), stepField, payload]);
}

function field(number: number, wireType: number, content: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | wireType), content]);
}

function text(value: string): Buffer {
  return sized(Buffer.from(value));
}

function sized(content: Buffer): Buffer {
  return Buffer.concat([varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}
