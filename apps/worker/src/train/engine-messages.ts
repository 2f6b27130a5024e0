// What the worker's main thread asks of the engine thread, and the answers.
import type { SharedTrainingState } from '@cria/collective';
import type { EngineFingerprint, EngineOptions, OptimizerConfig } from '@cria/model';
import type { ErrorRecord } from '@cria/runtime';

/** What the engine thread needs of a run. Can be posted to a thread. */
export interface TrainingSettings {
  readonly engine: EngineOptions;
  readonly optimizer: OptimizerConfig;
  /** budget.steps: where the schedule ends. */
  readonly steps: number;
  readonly slots: number;
  readonly gridBits: number;
  readonly seed: number;
  readonly state: SharedTrainingState;
}

export interface SlotOrder {
  readonly step: number;
  readonly slot: number;
  readonly tokens: Uint16Array;
  readonly sequences: number;
  /** The first slot of the accumulator. */
  readonly clear: boolean;
  /** Only its digests are wanted: nothing is added to the accumulator. */
  readonly spare: boolean;
}

export interface SlotComputed {
  /** L of the rounded slot gradient, per part. */
  readonly digests: BigUint64Array;
  readonly flagged: boolean;
  readonly lossBits: number;
  readonly computeMs: number;
}

/** A committed step as the optimizer needs it. */
export interface UpdateOrder {
  readonly step: number;
  /** False for a skipped step: nothing but the position changes. */
  readonly use: boolean;
  readonly gradNorm: number;
  /** Packed reduced gradient, one entry per part of `parts`. */
  readonly packed: readonly Uint8Array[];
  /** What the state was when it was last written, 16 hex digits; null: it is not checked (a copy under way). */
  readonly stateDigest: string | null;
  /** Parts to update; all of them for a member. */
  readonly parts: readonly number[];
}

export interface EngineCalls {
  open: { argument: TrainingSettings; answer: { fingerprint: EngineFingerprint; description: string } };
  /** state[0] from the seed. */
  makeState: { argument: null; answer: { stateDigest: string } };
  /** The shared weights were changed from outside (loaded or copied). */
  adoptState: { argument: null; answer: { stateDigest: string } };
  slot: { argument: SlotOrder; answer: SlotComputed };
  stateDigest: { argument: null; answer: string };
  update: { argument: UpdateOrder; answer: { stateDigest: string } };
  /** A shadow's copy: only the parts named, the engine's weights stay as they are. */
  rollForward: { argument: UpdateOrder; answer: void };
  evaluate: { argument: { tokens: Uint16Array; sequences: number }; answer: Float32Array };
  close: { argument: null; answer: void };
}

export type EngineCallName = keyof EngineCalls;

export type ToEngine = {
  [Name in EngineCallName]: {
    readonly id: number;
    readonly name: Name;
    readonly argument: EngineCalls[Name]['argument'];
  };
}[EngineCallName];

export type FromEngine =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: ErrorRecord };
