// The frames of Peer.Fetch's answer. Each gRPC message of the stream is one frame, little-endian:
//
//   byte  0  u32  magic "CRF1" (0x31465243)
//   byte  4  u8   kind: 1 header, 2 data, 3 wait
//   byte  5  u8   flags: bit 0 = last frame of the stream
//   byte  6  u16  0
//   byte  8  u32  payload length
//   byte 12  u32  CRC-32C of bytes 0..11, bytes 16..23 and the payload
//   byte 16  u64  offset of the payload in the part (data), else 0
//   byte 24       payload
//
// A stream is one header frame, then data frames in ascending offset up to the part's end. Wait frames, empty, may
// come before the header: "alive, but what you ask for is still being computed".
import { CriaError } from '@cria/runtime';
import type { Kernels } from '@cria/kernels';

const MAGIC = 0x31465243;
export const FRAME_HEADER_BYTES = 24;

export const FRAME_KIND = { header: 1, data: 2, wait: 3 } as const;
export type FrameKind = keyof typeof FRAME_KIND;

export interface Frame {
  readonly kind: FrameKind;
  readonly isLast: boolean;
  readonly offset: number;
  readonly payload: Uint8Array;
}

type Crc32c = Kernels['crc32c'];

/** What grpc-js asks of a message: its length, and to be copied behind the five bytes of its own. */
export type OutgoingFrame = Pick<Buffer, 'byteLength' | 'copy'>;

/** One frame's bytes; the payload is copied. */
export function encodeFrame(frame: Frame, crc32c: Crc32c): Buffer {
  const outgoing = frameToSend(frame, crc32c);
  const bytes = Buffer.allocUnsafe(outgoing.byteLength);
  outgoing.copy(bytes, 0);
  return bytes;
}

/** A frame whose payload is copied only once, by the transport into its message; it must not change until then. */
export function frameToSend({ kind, isLast, offset, payload }: Frame, crc32c: Crc32c): OutgoingFrame {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt8(FRAME_KIND[kind], 4);
  header.writeUInt8(isLast ? 1 : 0, 5);
  header.writeUInt16LE(0, 6);
  header.writeUInt32LE(payload.length, 8);
  header.writeBigUInt64LE(BigInt(offset), 16);
  const crc = crc32c(header.subarray(16), crc32c(header.subarray(0, 12)));
  header.writeUInt32LE(crc32c(payload, crc), 12);
  return {
    byteLength: FRAME_HEADER_BYTES + payload.length,
    copy: (target, at = 0) => {
      target.set(header, at);
      target.set(payload, at + FRAME_HEADER_BYTES);
      return FRAME_HEADER_BYTES + payload.length;
    },
  };
}

/**
 * Reads a frame; its payload is a view.
 *
 * @throws PEER_DAMAGED when magic, length, kind or CRC are wrong
 */
export function decodeFrame(bytes: Buffer, crc32c: Crc32c): Frame {
  if (bytes.length < FRAME_HEADER_BYTES) throw damaged(`it has ${bytes.length} bytes`);
  if (bytes.readUInt32LE(0) !== MAGIC) throw damaged('it does not begin with CRF1');
  const lengthBytes = bytes.readUInt32LE(8);
  if (lengthBytes !== bytes.length - FRAME_HEADER_BYTES) {
    throw damaged(`it announces ${lengthBytes} bytes and holds ${bytes.length - FRAME_HEADER_BYTES}`);
  }
  if (frameCrc(bytes, crc32c) !== bytes.readUInt32LE(12)) throw damaged('its CRC-32C does not match');
  const kind = kindOf(bytes.readUInt8(4));
  if (kind === null) throw damaged(`its kind ${bytes.readUInt8(4)} is unknown`);
  return {
    kind,
    isLast: bytes.readUInt8(5) === 1,
    offset: Number(bytes.readBigUInt64LE(16)),
    payload: bytes.subarray(FRAME_HEADER_BYTES),
  };
}

function frameCrc(bytes: Buffer, crc32c: Crc32c): number {
  return crc32c(bytes.subarray(16), crc32c(bytes.subarray(0, 12)));
}

function kindOf(code: number): FrameKind | null {
  const found = Object.entries(FRAME_KIND).find(([, value]) => value === code);
  return found === undefined ? null : (found[0] as FrameKind);
}

function damaged(why: string): CriaError {
  return new CriaError('PEER_DAMAGED', `a frame is damaged: ${why}`);
}
