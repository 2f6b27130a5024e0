// What a run will take, from its configuration and one measured speed. Arithmetic only; every factor is named.
import { flopsPerToken, parameterLayout } from '@cria/model/config';
import type { RunConfig } from '@cria/protocol';

export interface PlanInputs {
  readonly config: RunConfig;
  readonly workers: number;
  /** Measured for one worker, exchange left out. */
  readonly tokensPerSecondPerWorker: number;
  /** Of one worker; null = not asked for. */
  readonly pricePerHour: number | null;
  /** Mean time between failures of one worker. */
  readonly hoursBetweenFailures: number;
  /** Of the summed gradient on the wire (docs/numerics: 10 at 32 grid bits). */
  readonly bitsPerParameter: number;
}

export interface Plan {
  readonly parameters: number;
  readonly tokens: number;
  readonly steps: number;
  readonly usefulWorkers: number;
  readonly computeSecondsPerStep: number;
  readonly days: number;
  readonly cost: number | null;
  readonly teraflops: number;
  readonly workerMemoryBytes: number;
  readonly checkpointBytes: number;
  readonly exchangeBytesPerStep: number;
  readonly tokenBytesPerStep: number;
  readonly expectedFailures: number;
}

/** f32 weights, two f32 moments, int32 accumulator, f32 gradient of a slot, packed result: per parameter. */
const STATE_BYTES_PER_PARAMETER = 4 + 8 + 4 + 4 + 4;
/** Weights and two moments, f32. */
const CHECKPOINT_BYTES_PER_PARAMETER = 12;
/** uint16. */
const BYTES_PER_TOKEN = 2;

export function planRun(inputs: PlanInputs): Plan {
  const { config, workers, tokensPerSecondPerWorker, pricePerHour, hoursBetweenFailures } = inputs;
  const { steps, sequenceLength, globalBatch } = config.budget;
  const parameters = parameterLayout(config.model).numel;
  // The step waits for whoever holds the most slots, so the last round is full only when workers divide slots.
  const slotTokens = (sequenceLength * globalBatch) / config.slots;
  const slotRounds = Math.ceil(config.slots / workers);
  const computeSecondsPerStep = (slotRounds * slotTokens) / tokensPerSecondPerWorker;
  const hours = (steps * computeSecondsPerStep) / 3600;
  return {
    parameters,
    tokens: steps * sequenceLength * globalBatch,
    steps,
    usefulWorkers: Math.min(workers, config.slots),
    computeSecondsPerStep,
    days: hours / 24,
    cost: pricePerHour === null ? null : hours * workers * pricePerHour,
    teraflops: (flopsPerToken(config.model, sequenceLength) * tokensPerSecondPerWorker * workers) / 1e12,
    workerMemoryBytes: parameters * STATE_BYTES_PER_PARAMETER,
    checkpointBytes: parameters * CHECKPOINT_BYTES_PER_PARAMETER,
    exchangeBytesPerStep: exchangeBytes(parameters, workers, inputs.bitsPerParameter),
    tokenBytesPerStep: globalBatch * (sequenceLength + 1) * BYTES_PER_TOKEN,
    expectedFailures: (hours * workers) / hoursBetweenFailures,
  };
}

/** Received by one worker: its part from all others, then all other parts. */
function exchangeBytes(parameters: number, workers: number, bitsPerParameter: number): number {
  return Math.ceil((2 * (workers - 1) * parameters * bitsPerParameter) / (8 * workers));
}
