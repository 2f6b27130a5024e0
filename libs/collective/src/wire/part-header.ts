// The payload of a stream's header frame, little-endian:
//
//   byte  0  u8   status: 1 ok, 2 not yet, 3 refused, 4 stale
//   byte  1  u8   content, as in FetchRequest
//   byte  2  u16  byte length of the reason
//   byte  4  u32  part
//   byte  8  u32  position (STATE: of these bytes; otherwise the step)
//   byte 12  u32  number of slots
//   byte 16  u64  bytes of the whole part
//   byte 24  u64  L of the part: packed values (ACC, REDUCED), words (report), parameters and moments (STATE)
//   byte 32       slots that are in it, u32 each (ACC)
//            then the reason, UTF-8 (not yet, refused, stale)
import { CriaError } from '@cria/runtime';

export const STATUS = { ok: 1, 'not-yet': 2, refused: 3, stale: 4 } as const;
export type PartStatus = keyof typeof STATUS;

export interface PartHeader {
  readonly status: PartStatus;
  readonly content: number;
  readonly part: number;
  readonly position: number;
  readonly totalBytes: number;
  readonly digest: bigint;
  readonly slots: readonly number[];
  readonly reason: string;
}

const FIXED_BYTES = 32;

export function encodePartHeader(header: PartHeader): Buffer {
  const reason = Buffer.from(header.reason, 'utf8').subarray(0, 0xffff);
  const bytes = Buffer.alloc(FIXED_BYTES + 4 * header.slots.length + reason.length);
  bytes.writeUInt8(STATUS[header.status], 0);
  bytes.writeUInt8(header.content, 1);
  bytes.writeUInt16LE(reason.length, 2);
  bytes.writeUInt32LE(header.part, 4);
  bytes.writeUInt32LE(header.position, 8);
  bytes.writeUInt32LE(header.slots.length, 12);
  bytes.writeBigUInt64LE(BigInt(header.totalBytes), 16);
  bytes.writeBigUInt64LE(header.digest, 24);
  header.slots.forEach((slot, i) => bytes.writeUInt32LE(slot, FIXED_BYTES + 4 * i));
  bytes.set(reason, FIXED_BYTES + 4 * header.slots.length);
  return bytes;
}

/** @throws PEER_DAMAGED when lengths or the status make no sense */
export function decodePartHeader(payload: Uint8Array): PartHeader {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  if (bytes.length < FIXED_BYTES) throw damaged(`${bytes.length} bytes`);
  const slotCount = bytes.readUInt32LE(12);
  const reasonAt = FIXED_BYTES + 4 * slotCount;
  if (bytes.length !== reasonAt + bytes.readUInt16LE(2)) throw damaged('its lists do not fit its length');
  const status = Object.entries(STATUS).find(([, code]) => code === bytes.readUInt8(0));
  if (status === undefined) throw damaged(`status ${bytes.readUInt8(0)}`);
  return {
    status: status[0] as PartStatus,
    content: bytes.readUInt8(1),
    part: bytes.readUInt32LE(4),
    position: bytes.readUInt32LE(8),
    totalBytes: Number(bytes.readBigUInt64LE(16)),
    digest: bytes.readBigUInt64LE(24),
    slots: Array.from({ length: slotCount }, (_, i) => bytes.readUInt32LE(FIXED_BYTES + 4 * i)),
    reason: bytes.toString('utf8', reasonAt),
  };
}

function damaged(why: string): CriaError {
  return new CriaError('PEER_DAMAGED', `a stream's header is damaged: ${why}`);
}
