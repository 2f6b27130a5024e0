// The run configuration: what a YAML file, flags and environment resolve to. Unknown keys are errors.
import { z } from 'zod';

const positiveInt = z.int().min(1);
const count = z.int().min(0);
const fraction = z.number().min(0).max(1);
const uint32 = z.int().min(0).max(0xffff_ffff);

const modelSchema = z.strictObject({
  hiddenSize: positiveInt,
  intermediateSize: positiveInt,
  layers: positiveInt,
  heads: positiveInt,
  kvHeads: positiveInt,
  vocabSize: positiveInt,
  maxPositions: positiveInt,
  tieEmbeddings: z.boolean().default(true),
  ropeTheta: z.number().min(1).default(10000),
  rmsNormEps: z.number().positive().lt(1).default(1e-6),
  initStd: z.number().positive().lt(1).default(0.02),
});

const budgetSchema = z.strictObject({
  steps: positiveInt,
  sequenceLength: positiveInt,
  globalBatch: positiveInt,
});

const sourceSchema = z.strictObject({ path: z.string().min(1), weight: z.number().positive().default(1) });

const dataSchema = z.strictObject({
  train: z.array(sourceSchema).min(1),
  validation: z
    .strictObject({ fraction: z.number().min(0).max(0.5).default(0.01), everySteps: count.default(0) })
    .prefault({}),
  order: z.enum(['shuffled', 'sequential']).default('shuffled'),
});

const optimizerSchema = z.strictObject({
  peakLr: z.number().positive(),
  minLr: z.number().min(0),
  warmupSteps: count,
  schedule: z.enum(['cosine', 'linear', 'constant']).default('cosine'),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.95]),
  eps: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.1),
  gradClip: z.number().positive().default(1),
});

const engineSchema = z.strictObject({
  kind: z.enum(['auto', 'native', 'tfjs']).default('auto'),
  precision: z.enum(['auto', 'f32', 'bf16']).default('auto'),
  backend: z.enum(['auto', 'tensorflow', 'wasm', 'cpu']).default('auto'),
  threads: z.union([z.literal('auto'), positiveInt]).default('auto'),
  instructionSet: z.enum(['auto', 'avx512bf16', 'avx512', 'avx2', 'portable']).default('auto'),
});

const timeoutsSchema = z.strictObject({
  heartbeatMs: positiveInt.default(500),
  suspectMs: positiveInt.default(3000),
  leaseMs: positiveInt.default(3000),
  skewMs: positiveInt.default(300),
  gatherMs: positiveInt.default(1500),
  blockedMs: positiveInt.default(500),
  seatMs: positiveInt.default(30_000),
  startWaitMs: count.default(30_000),
  orphanMs: positiveInt.default(600_000),
});

const checkpointSchema = z.strictObject({
  everySteps: positiveInt.default(50),
  keep: positiveInt.default(3),
  store: z.string().min(1).nullable().default(null),
});

const anomaliesSchema = z.strictObject({
  nonFinite: z.enum(['skip', 'stop']).default('skip'),
  lossSpikeSigmas: z.number().positive().default(6),
  onSpike: z.enum(['skip', 'stop']).default('skip'),
});

const webhookFormats = ['auto', 'generic', 'slack', 'discord'] as const;

/** When to speak up; null or false switches a rule off (libs/metrics thresholds.ts says what each means). */
const alertsSchema = z.strictObject({
  webhook: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  webhookFormat: z.enum(webhookFormats).default('auto'),
  notFinite: z.boolean().default(true),
  lossSpike: z
    .strictObject({ sigmas: z.number().positive().default(6), steps: positiveInt.default(3) })
    .nullable()
    .prefault({}),
  divergence: z
    .strictObject({ nats: z.number().positive().default(1), steps: positiveInt.default(200) })
    .nullable()
    .prefault({}),
  gradNormSpike: z
    .strictObject({ sigmas: z.number().positive().default(8) })
    .nullable()
    .prefault({}),
  stalled: z
    .strictObject({ medianSteps: z.number().positive().default(5), minMs: positiveInt.default(60_000) })
    .nullable()
    .prefault({}),
  workerSilent: z
    .strictObject({ ms: positiveInt.default(10_000) })
    .nullable()
    .prefault({}),
  straggler: z
    .strictObject({ ratio: z.number().gt(1).default(2) })
    .nullable()
    .prefault({}),
  throughputDrop: z
    .strictObject({ share: fraction.default(0.3), steps: positiveInt.default(20) })
    .nullable()
    .prefault({}),
  dataLoading: z
    .strictObject({ share: fraction.default(0.2), steps: positiveInt.default(20) })
    .nullable()
    .prefault({}),
  pausedQueue: z
    .strictObject({ ms: positiveInt.default(600_000) })
    .nullable()
    .prefault({}),
  checkpointOverdue: z
    .strictObject({ intervals: z.number().min(1).default(2) })
    .nullable()
    .prefault({}),
  diskLow: z
    .strictObject({ freeBytes: positiveInt.default(1_000_000_000) })
    .nullable()
    .prefault({}),
});

/** What only the displays need to know. */
const metricsSchema = z.strictObject({
  /** Of one worker. */
  pricePerHour: z.number().min(0).nullable().default(null),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/, 'three capital letters, as USD')
    .default('USD'),
  /** Of one worker, for MFU. */
  peakTflops: z.number().positive().nullable().default(null),
});

const samplesSchema = z.strictObject({
  prompts: z.array(z.string().min(1).max(2000)).max(16).default([]),
  /** 0 = none. */
  everySteps: count.default(0),
  maxTokens: z.int().min(1).max(512).default(48),
});

/** Grid bits used for `gridBits: auto` (ARCHITECTURE section 3; docs/numerics.md). */
export const DEFAULT_GRID_BITS = 32;

export const runConfigSchema = z
  .strictObject({
    run: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, ".", "_" and "-", at most 64'),
    seed: uint32.default(1337),
    model: modelSchema,
    init: z.string().min(1).nullable().default(null),
    budget: budgetSchema,
    slots: positiveInt,
    data: dataSchema,
    optimizer: optimizerSchema,
    engine: engineSchema.prefault({}),
    exchange: z
      .strictObject({
        gridBits: z.union([z.literal('auto'), z.int().min(16).max(40)]).default('auto'),
        onLoss: z.enum(['salvage', 'discard']).default('salvage'),
      })
      .prefault({}),
    verify: z.strictObject({ recomputeFraction: fraction.default(0) }).prefault({}),
    timeouts: timeoutsSchema.prefault({}),
    checkpoint: checkpointSchema.prefault({}),
    anomalies: anomaliesSchema.prefault({}),
    metrics: metricsSchema.prefault({}),
    alerts: alertsSchema.prefault({}),
    samples: samplesSchema.prefault({}),
    workers: z.strictObject({ target: positiveInt.default(2), min: positiveInt.default(1) }).prefault({}),
  })
  .superRefine(checkAcrossFields);

export type RunConfig = z.infer<typeof runConfigSchema>;

type Draft = z.infer<typeof modelSchema>;

function checkAcrossFields(
  config: {
    model: Draft;
    budget: z.infer<typeof budgetSchema>;
    slots: number;
    optimizer: z.infer<typeof optimizerSchema>;
    timeouts: z.infer<typeof timeoutsSchema>;
    workers: { target: number; min: number };
    init: string | null;
    exchange: { gridBits: number | 'auto' };
    checkpoint: { store: string | null };
  },
  context: z.core.$RefinementCtx,
): void {
  const fail = (path: Array<string | number>, message: string): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  const { model, budget, slots, optimizer, timeouts, workers } = config;
  if (budget.globalBatch % slots !== 0) {
    const allowed = divisors(budget.globalBatch).join(', ');
    fail(['slots'], `must divide budget.globalBatch = ${budget.globalBatch}: allowed are ${allowed}`);
  }
  if (slots > 4096) fail(['slots'], 'at most 4096, so that the sum over slots stays exact');
  if (model.hiddenSize % model.heads !== 0) {
    fail(['model', 'heads'], `must divide model.hiddenSize = ${model.hiddenSize}`);
  } else if ((model.hiddenSize / model.heads) % 2 !== 0) {
    fail(['model', 'heads'], 'model.hiddenSize / model.heads must be even (rotary embedding works on pairs)');
  }
  if (model.heads % model.kvHeads !== 0)
    fail(['model', 'kvHeads'], `must divide model.heads = ${model.heads}`);
  if (model.vocabSize > 65_536) fail(['model', 'vocabSize'], 'at most 65536 (tokens are 16 bits)');
  if (model.vocabSize < 50_257) {
    fail(['model', 'vocabSize'], 'at least 50257, the size of the GPT-2 vocabulary that the token files use');
  }
  if (budget.sequenceLength > model.maxPositions) {
    fail(['budget', 'sequenceLength'], `at most model.maxPositions = ${model.maxPositions}`);
  }
  if (optimizer.minLr > optimizer.peakLr) fail(['optimizer', 'minLr'], 'at most optimizer.peakLr');
  if (timeouts.skewMs >= timeouts.leaseMs) fail(['timeouts', 'skewMs'], 'less than timeouts.leaseMs');
  if (workers.min > workers.target) fail(['workers', 'min'], `at most workers.target = ${workers.target}`);
  // |x| < 2^9 per slot: so many slots of so fine a grid stay below 2^53, where doubles hold integers exactly.
  const gridBits = config.exchange.gridBits === 'auto' ? DEFAULT_GRID_BITS : config.exchange.gridBits;
  const allowedBits = Math.min(40, 44 - Math.ceil(Math.log2(slots)));
  if (gridBits > allowedBits)
    fail(['exchange', 'gridBits'], `at most ${allowedBits} with ${slots} slots, so that sums stay exact`);
  checkNotBuilt(config, fail);
}

/** Fields that are part of the format and do nothing yet: accepting them silently would be a lie. */
function checkNotBuilt(
  config: {
    init: string | null;
    checkpoint: { store: string | null };
  },
  fail: (path: Array<string | number>, message: string) => void,
): void {
  if (config.init !== null) fail(['init'], 'starting from a model directory is not built yet; leave it null');
  if (config.checkpoint.store?.startsWith('s3:') === true) {
    fail(['checkpoint', 'store'], 'S3 is not built yet; give a directory that every coordinator sees');
  }
}

function divisors(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
}
