// What a run needs of a device: gradients of slots, losses, logits. The optimizer is not in here: master weights,
// moments and the update are the worker's (libs/kernels), so that every engine gets the same bits of them.
import type { ParameterLayout } from '../config/parameter-layout.js';
import type { EngineFingerprint } from './fingerprint.js';

/** Takes a slot's gradient in pieces while the backward pass runs. */
export interface GradientSink {
  /**
   * @param offset flat index of gradient[0], where a tensor starts
   * @param gradient one or more whole tensors, with their zero padding to multiples of 256; final. Valid during the
   *   call only. Over a slot every element of the flat array comes exactly once, from the end towards the start.
   */
  bucket(offset: number, gradient: Float32Array): void;
}

export interface SlotResult {
  /** Mean loss over the slot's tokens in nats, as f32 bits; every NaN is 7fc00000. */
  readonly lossBits: number;
}

/**
 * A model on one device. Calls must not overlap. The thread may be blocked for the length of a call: an engine runs
 * in a worker thread of its own.
 */
export interface Engine {
  readonly fingerprint: EngineFingerprint;
  readonly layout: ParameterLayout;
  /** For humans: `tfjs wasm (SIMD)`. */
  readonly description: string;

  /**
   * Sets the weights from the flat padded array, which may lie over a SharedArrayBuffer. It is read during the call
   * only. Required before anything else, and after each update.
   */
  setParameters(params: Float32Array): Promise<void>;

  /**
   * Forward and backward pass. The gradient is that of the mean loss over the slot's tokens. The same bits for the
   * same weights and tokens, always. When it throws, the sink has seen a part of the gradient: drop what it holds.
   *
   * @param tokens [sequences, sequenceLength + 1]
   */
  runSlot(tokens: Uint16Array, sequences: number, sink: GradientSink): Promise<SlotResult>;

  /**
   * Forward pass only.
   *
   * @param tokens [sequences, sequenceLength + 1]
   * @returns mean loss of each sequence in nats, [sequences]
   */
  evaluate(tokens: Uint16Array, sequences: number): Promise<Float32Array>;

  /**
   * Logits of the token after `tokens`.
   *
   * @param tokens one sequence of 1 to maxPositions tokens
   * @returns [vocabSize]
   */
  logits(tokens: Uint16Array): Promise<Float32Array>;

  /** Frees the device's memory. The engine is of no use afterwards. */
  dispose(): Promise<void>;
}

const CANONICAL_NAN = 0x7fc0_0000;

/** The bits of a loss as ledger and report part hold it. */
export function lossToBits(loss: number): number {
  if (Number.isNaN(loss)) return CANONICAL_NAN;
  return new Uint32Array(Float32Array.of(loss).buffer)[0];
}

/** The inverse of {@link lossToBits}. */
export function lossFromBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}
