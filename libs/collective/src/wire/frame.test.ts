import { describe, expect, it } from 'vitest';
import { referenceKernels } from '@cria/kernels';
import { CriaError } from '@cria/runtime';
import { decodeFrame, encodeFrame } from './frame.js';
import { decodePartHeader, encodePartHeader } from './part-header.js';
import type { PartHeader } from './part-header.js';

const { crc32c } = referenceKernels;
const isDamage = (act: () => unknown): boolean => {
  try {
    act();
  } catch (error) {
    return CriaError.is(error) && error.code === 'PEER_DAMAGED';
  }
  return false;
};

describe('frame', () => {
  const frame = {
    kind: 'data',
    isLast: true,
    offset: 2 ** 40 + 3,
    payload: Uint8Array.of(1, 2, 3, 250),
  } as const;

  it('comes back as it was sent', () => {
    const back = decodeFrame(encodeFrame(frame, crc32c), crc32c);
    expect({ ...back, payload: Uint8Array.from(back.payload) }).toEqual(frame);
  });

  it('is refused with any single bit flipped, cut short or made longer', () => {
    const bytes = encodeFrame(frame, crc32c);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(
        isDamage(() => decodeFrame(flipped, crc32c)),
        `bit ${bit}`,
      ).toBe(true);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(isDamage(() => decodeFrame(bytes.subarray(0, length), crc32c))).toBe(true);
    }
    expect(isDamage(() => decodeFrame(Buffer.concat([bytes, Buffer.alloc(1)]), crc32c))).toBe(true);
  });

  it('keeps its layout: peers of other builds read it', () => {
    const bytes = encodeFrame({ ...frame, offset: 5 }, crc32c);
    expect(bytes.toString('hex')).toBe(
      `43524631020100000400000${'0'}${bytes.toString('hex', 12, 16)}050000000000000001${'0203fa'}`,
    );
  });
});

describe('part header', () => {
  const header: PartHeader = {
    ...{
      status: 'ok',
      content: 1,
      part: 70000,
      position: 4e9,
      totalBytes: 2 ** 33,
      digest: (1n << 64n) - 5n,
    },
    ...{ slots: [0, 191, 5], reason: 'später' },
  };

  it('comes back as it was sent', () => {
    expect(decodePartHeader(encodePartHeader(header))).toEqual(header);
    const bare: PartHeader = { ...header, status: 'not-yet', slots: [], reason: '' };
    expect(decodePartHeader(encodePartHeader(bare))).toEqual(bare);
  });

  it('is refused at any other length, and with an unknown status', () => {
    const bytes = encodePartHeader(header);
    for (let length = 0; length < bytes.length; length++) {
      expect(isDamage(() => decodePartHeader(bytes.subarray(0, length)))).toBe(true);
    }
    bytes[0] = 9;
    expect(isDamage(() => decodePartHeader(bytes))).toBe(true);
  });
});
