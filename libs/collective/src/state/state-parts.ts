// Parts of the state as they travel, for processes that put them together or take them apart (checkpoints).
import { partRange, referenceKernels, partCount } from '@cria/kernels';
import { statePartDigest } from '../exchange/state-keeper.js';

export interface StatePartFacts {
  readonly numParts: number;
  /** Values of the flat arrays in a part. */
  range(part: number): { readonly from: number; readonly to: number };
  /** The part's share of the state digest, from parameters, first and second moments one after the other. */
  digest(part: number, bytes: Uint8Array): bigint;
}

/** @param length of the flat arrays */
export function statePartFacts(length: number): StatePartFacts {
  return {
    numParts: partCount(length),
    range: (part) => partRange(part, length),
    digest: (part, bytes) => statePartDigest(referenceKernels, bytes, partRange(part, length).from),
  };
}

/** State digest, 16 hex digits, from the digests of all parts: a sum mod 2^64, in any order. */
export function stateDigestOfParts(digests: Iterable<bigint>): string {
  let sum = 0n;
  for (const digest of digests) sum += digest;
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}
