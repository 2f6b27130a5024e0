// One worker's whole training step, measured: forward and backward of all slots, the exact sum, packing, mean, norm,
// AdamW and the new weights. What a step costs beside the exchange. The machine's speed changes for seconds at a time,
// so a probe of the registers' peak stands before and after every step, and only steps between two good ones count.
import { createAccumulator, clearAccumulator, meanScale, PART_SIZE, addChunks } from '@cria/kernels';
import type { Accumulator, Kernels, OptimizerState } from '@cria/kernels';
import { BF16, createNativeKernels, F32, requireAddon, selectInstructionSet } from '@cria/kernels/native';
import { assert, Rng } from '@cria/runtime';
import type { Clock } from '@cria/runtime';
import type { LlamaConfig } from '../config/llama-config.js';
import type { ParameterLayout } from '../config/parameter-layout.js';
import type { Engine } from '../engine/engine.js';
import { initialParameters } from '../init/initial-parameters.js';
import type { OptimizerConfig } from '../optimizer/optimizer-config.js';
import { optimizerStep } from '../optimizer/optimizer-step.js';
import { createEngine } from '../engine/create-engine.js';
import type { BackendName } from '../tfjs/choose-backend.js';

export interface TrainingMeasurement {
  /** What computes the slots; all else is native either way, as in a worker. */
  readonly kind: 'native' | 'tfjs';
  /** tfjs only. */
  readonly backend?: BackendName;
  readonly config: LlamaConfig;
  readonly sequenceLength: number;
  /** Slots of a step, and sequences of each. */
  readonly slots: number;
  readonly sequences: number;
  readonly precision: 'f32' | 'bf16';
  readonly threads: number;
  /** Steps that are measured, after one that is not. */
  readonly steps: number;
  readonly instructionSet?: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** Milliseconds of a step, by what they went into. */
export interface StepParts {
  /** Forward and backward, rounding onto the grid and adding included. */
  readonly slotsMs: number;
  readonly packMs: number;
  /** Mean, norm and AdamW. */
  readonly updateMs: number;
  readonly setParametersMs: number;
}

export interface TrainingResult {
  /** Median over steps whose probes were good; over all when none was. */
  readonly stepMs: number;
  readonly bestStepMs: number;
  readonly tokensPerSecond: number;
  /** 6 per multiplied parameter and token, causal attention counted as half. */
  readonly flopsPerSecond: number;
  /** Best probe of the same dtype. */
  readonly peakFlopsPerSecond: number;
  readonly shareOfPeak: number;
  /** Steps whose probes on both sides were at least 85 % of the best. */
  readonly goodSteps: number;
  /** Every measured step, and the worse of the probes on its sides. */
  readonly samples: ReadonlyArray<{ readonly ms: number; readonly probe: number }>;
  /** Of the best step. */
  readonly parts: StepParts;
  readonly losses: readonly number[];
}

const GRID_BITS = 32;
const PROBE_MS = 2;
const GOOD_PROBE = 0.85;
const OPTIMIZER: OptimizerConfig = {
  ...{ peakLr: 3e-4, minLr: 3e-5, warmupSteps: 10, schedule: 'cosine', betas: [0.9, 0.95] },
  ...{ eps: 1e-8, weightDecay: 0.1, gradClip: 1 },
};

interface Sample {
  readonly ms: number;
  readonly probe: number;
  readonly parts: StepParts;
}

/** @throws what createNativeEngine throws */
export async function measureTraining(options: TrainingMeasurement): Promise<TrainingResult> {
  const trainer = new Trainer(options, await openEngine(options));
  const samples: Sample[] = [];
  for (let step = 0; step <= options.steps; step++) {
    const before = trainer.probe();
    const sample = await trainer.step(step);
    const probe = Math.min(before, trainer.probe());
    if (step > 0) samples.push({ ...sample, probe });
  }
  await trainer.dispose();
  return summarize(options, samples, trainer.losses, trainer.bestProbe);
}

/** A worker that is alone: its own sums are the global ones. */
class Trainer {
  readonly losses: number[] = [];
  bestProbe = 0;
  readonly #options: TrainingMeasurement;
  readonly #engine: Engine;
  readonly #kernels: Kernels;
  readonly #probe: () => number;
  readonly #acc: Accumulator;
  readonly #state: OptimizerState;
  readonly #mean = new Float32Array(PART_SIZE);
  #ready = false;

  constructor(options: TrainingMeasurement, engine: Engine) {
    const { config, threads, precision, instructionSet } = options;
    const choice = instructionSet === undefined ? {} : { instructionSet };
    this.#options = options;
    this.#engine = engine;
    this.#kernels = createNativeKernels({ threads, ...choice });
    const context = new (requireAddon().NativeContext)(selectInstructionSet(instructionSet), threads);
    this.#probe = () => context.peakFlops(PROBE_MS, precision === 'bf16' ? BF16 : F32);
    const size = this.#engine.layout.paddedSize;
    this.#acc = createAccumulator(size, true);
    const params = initialParameters(config, 1);
    this.#state = { params, expAvg: new Float32Array(size), expAvgSq: new Float32Array(size) };
  }

  probe(): number {
    const flops = this.#probe();
    this.bestProbe = Math.max(this.bestProbe, flops);
    return flops;
  }

  async step(step: number): Promise<{ ms: number; parts: StepParts }> {
    const { clock } = this.#options;
    if (!this.#ready) await this.#engine.setParameters(this.#state.params);
    this.#ready = true;
    const times = [clock.monotonicMs()];
    const mark = (): number => times.push(clock.monotonicMs());
    await this.#runSlots(step);
    mark();
    const packed = this.#pack();
    mark();
    this.#update(step, packed);
    mark();
    await this.#engine.setParameters(this.#state.params);
    mark();
    const [slotsMs, packMs, updateMs, setParametersMs] = times.slice(1).map((time, i) => time - times[i]);
    return { ms: times[4] - times[0], parts: { slotsMs, packMs, updateMs, setParametersMs } };
  }

  async dispose(): Promise<void> {
    await this.#engine.dispose();
  }

  async #runSlots(step: number): Promise<void> {
    const { slots, sequences, sequenceLength, config } = this.#options;
    const digests = new BigUint64Array(Math.ceil(this.#engine.layout.paddedSize / PART_SIZE));
    const rng = new Rng(step);
    clearAccumulator(this.#acc, 0, this.#engine.layout.paddedSize);
    for (let slot = 0; slot < slots; slot++) {
      const tokens = new Uint16Array(sequences * (sequenceLength + 1)).map(() => rng.below(config.vocabSize));
      const { lossBits } = await this.#engine.runSlot(tokens, sequences, {
        bucket: (offset, gradient) => {
          const flagged = this.#kernels.accumulateGradient(this.#acc, offset, gradient, GRID_BITS, digests);
          assert(!flagged, 'a measured gradient is finite');
        },
      });
      this.losses.push(new Float32Array(Uint32Array.of(lossBits).buffer)[0]);
    }
  }

  #pack(): Uint8Array[] {
    return partsOf(this.#engine.layout).map(({ from, to }) => this.#kernels.packPart(this.#acc, from, to));
  }

  /** The packed sums are read twice, once for the norm and once for the update, as in a run. */
  #update(step: number, packed: readonly Uint8Array[]): void {
    const parts = partsOf(this.#engine.layout);
    const scale = meanScale(GRID_BITS, this.#options.slots);
    const chunks = new Float64Array(Math.ceil(this.#engine.layout.paddedSize / 4096));
    parts.forEach(({ from, to }, part) => {
      const mean = this.#mean.subarray(0, to - from);
      this.#kernels.unpackMean(packed[part], scale, mean);
      this.#kernels.squareSum(mean, chunks.subarray(from / 4096));
    });
    const gradNorm = Math.fround(Math.sqrt(addChunks(chunks)));
    const scalars = optimizerStep(OPTIMIZER, { step, steps: this.#options.steps + 1, gradNorm });
    parts.forEach(({ from, to }, part) => {
      const mean = this.#mean.subarray(0, to - from);
      this.#kernels.unpackMean(packed[part], scale, mean);
      for (const range of decayRanges(this.#engine.layout, from, to)) {
        const gradient = mean.subarray(range.from - from, range.to - from);
        this.#kernels.adamwUpdate(this.#state, gradient, range.from, range.to, range.decay, scalars);
      }
    });
  }
}

function openEngine(options: TrainingMeasurement): Promise<Engine> {
  const { kind, threads, precision, config, sequenceLength, instructionSet, backend } = options;
  return createEngine({
    ...{ kind, device: 'cpu', threads, precision, config, sequenceLength },
    ...(instructionSet === undefined ? {} : { instructionSet }),
    ...(backend === undefined ? {} : { backend }),
  });
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function partsOf({ paddedSize }: ParameterLayout): Range[] {
  return Array.from({ length: Math.ceil(paddedSize / PART_SIZE) }, (_, part) => ({
    from: part * PART_SIZE,
    to: Math.min((part + 1) * PART_SIZE, paddedSize),
  }));
}

/** [from, to) cut where weight decay begins or ends. */
function decayRanges(
  { tensors, paddedSize }: ParameterLayout,
  from: number,
  to: number,
): Array<Range & { decay: boolean }> {
  return tensors
    .map(({ offset, decay }, i) => {
      const end = i + 1 < tensors.length ? tensors[i + 1].offset : paddedSize;
      return { from: Math.max(from, offset), to: Math.min(to, end), decay };
    })
    .filter((range) => range.from < range.to);
}

function summarize(
  options: TrainingMeasurement,
  samples: readonly Sample[],
  losses: readonly number[],
  peakFlopsPerSecond: number,
): TrainingResult {
  const good = samples.filter(({ probe }) => probe >= GOOD_PROBE * peakFlopsPerSecond);
  const counted = [...(good.length > 0 ? good : samples)].sort((a, b) => a.ms - b.ms);
  const stepMs = counted[Math.floor(counted.length / 2)].ms;
  const best = counted[0];
  const tokens = options.slots * options.sequences * options.sequenceLength;
  const flopsPerSecond = (1000 * tokens * causalFlopsPerToken(options)) / stepMs;
  return {
    ...{
      stepMs,
      bestStepMs: best.ms,
      tokensPerSecond: (1000 * tokens) / stepMs,
      flopsPerSecond,
      peakFlopsPerSecond,
    },
    ...{
      shareOfPeak: flopsPerSecond / peakFlopsPerSecond,
      goodSteps: good.length,
      samples: samples.map(({ ms, probe }) => ({ ms, probe })),
      parts: best.parts,
      losses,
    },
  };
}

function causalFlopsPerToken({ config, sequenceLength }: TrainingMeasurement): number {
  const { hiddenSize, intermediateSize, layers, heads, kvHeads, vocabSize } = config;
  const attention = 2 * hiddenSize * hiddenSize * (1 + kvHeads / heads);
  const multiplied = vocabSize * hiddenSize + layers * (attention + 3 * hiddenSize * intermediateSize);
  return 6 * multiplied + 6 * layers * sequenceLength * hiddenSize;
}
