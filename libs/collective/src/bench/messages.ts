// What the benchmark's parent and its workers, each a process of its own, say to each other.
import type { MemberSet } from '@cria/protocol';

export type ToBenchWorker =
  | { readonly kind: 'setup'; readonly index: number; readonly workers: number; readonly parameters: number }
  | { readonly kind: 'exchange'; readonly attempt: number; readonly sets: readonly MemberSet[] }
  /** Pull `bytesPerPeer` bytes from each port over plain TCP. */
  | { readonly kind: 'tcp'; readonly ports: readonly number[]; readonly bytesPerPeer: number };

export type FromBenchWorker =
  | { readonly kind: 'started' }
  | {
      readonly kind: 'ready';
      readonly set: MemberSet;
      readonly tcpPort: number;
      /** Name of the kernels in use. */
      readonly kernels: string;
      /** Packed bits per parameter of this worker's own sum. */
      readonly bitsPerParameter: number;
    }
  | {
      readonly kind: 'exchanged';
      readonly gradDigest: string;
      readonly bytesReceived: number;
      readonly waitMs: number;
      /** Of all threads of the process. */
      readonly cpuSeconds: number;
      /** Packed bits per parameter of the whole sum. */
      readonly bitsPerParameter: number;
    }
  | { readonly kind: 'tcp-done'; readonly cpuSeconds: number }
  | { readonly kind: 'failed'; readonly why: string };
