// Computes steps alone, without leader, ledger or peers: what `cria replay` holds against the ledger. It is the same
// engine, the same accumulator and the same exchange as a worker's, as the only member.
import {
  createTrainingState,
  DEFAULT_TIMINGS,
  ExchangeNode,
  ReportPart,
  type Prepared,
  type SharedTrainingState,
} from '@cria/collective';
import { loadKernels } from '@cria/kernels';
import { createEngine, fingerprintText, parameterLayout, type Engine } from '@cria/model';
import { CriaError, present, systemClock } from '@cria/runtime';
import type { TrainingSettings } from '../train/engine-messages.js';
import { Trainer } from '../train/trainer.js';

export interface SoloOptions extends Omit<TrainingSettings, 'state'> {
  /** Sequences of a slot. */
  readonly sequences: number;
}

/** What the mathematics of a step decided, before its verdict. */
export interface SoloStep {
  readonly stateDigest: string;
  readonly gradDigest: string;
  readonly gradNorm: number;
  /** Bits of the f32 losses, in slot order. */
  readonly lossBits: readonly number[];
  readonly flagged: readonly number[];
}

const SELF = 'replay';

export class SoloTrainer {
  readonly state: SharedTrainingState;
  readonly fingerprint: string;
  readonly #options: SoloOptions;
  readonly #engine: Engine;
  readonly #trainer: Trainer;
  readonly #node: ExchangeNode;

  private constructor(options: SoloOptions, engine: Engine, state: SharedTrainingState) {
    const kernels = loadKernels({ threads: options.engine.threads });
    this.state = state;
    this.fingerprint = fingerprintText(engine.fingerprint);
    this.#options = options;
    this.#engine = engine;
    this.#trainer = new Trainer({ ...options, state }, engine, kernels);
    this.#node = new ExchangeNode({ kernels, clock: systemClock, emit: () => undefined });
  }

  /** @throws ENGINE_UNAVAILABLE with the remedy */
  static async open(options: SoloOptions): Promise<SoloTrainer> {
    const { config } = options.engine;
    const state = createTrainingState(parameterLayout(config).paddedSize);
    const trainer = new SoloTrainer(options, await createEngine(options.engine), state);
    const { slots, gridBits } = options;
    const settings = { runId: SELF, workerId: SELF, slots, gridBits, state, timings: DEFAULT_TIMINGS };
    await trainer.#node.configure(settings);
    return trainer;
  }

  /** state[0] from the seed. */
  async makeState(): Promise<void> {
    await this.#trainer.makeState();
  }

  /** `state` was filled with state[step]. */
  async adoptState(): Promise<void> {
    await this.#trainer.adoptState();
  }

  /** Computes every slot of a step at its state and sums them. @param tokensOf reads a slot's tokens */
  async compute(step: number, tokensOf: (slot: number) => Promise<Uint16Array>): Promise<SoloStep> {
    const { slots, sequences, engine } = this.#options;
    this.#node.resetSlots(step);
    for (let slot = 0; slot < slots; slot++) {
      const order = { step, slot, tokens: await tokensOf(slot), sequences, clear: slot === 0, spare: false };
      const { digests, flagged, lossBits } = await this.#trainer.slot(order);
      const tokens = sequences * engine.sequenceLength;
      this.#node.slotDone(step, { slot, lossBits, tokens, flagged, digests });
    }
    const { gradDigest, gradNorm, report } = await this.#reduce(step);
    const facts = this.#readReport(report);
    return { stateDigest: this.#trainer.stateDigest(), gradDigest, gradNorm, ...facts };
  }

  /** state[step] becomes state[step + 1]. @param use false for a skipped step */
  async apply(step: number, { use, gradNorm }: { use: boolean; gradNorm: number }): Promise<void> {
    const held = present(this.#node.holdReduced(step), 'the sum that was just computed');
    const parts = [...held.parts.keys()];
    const stateDigest = this.#trainer.stateDigest();
    await this.#trainer.update({ step, use, gradNorm, parts, packed: held.parts, stateDigest });
    this.#node.releaseReduced(held.hold);
  }

  async close(): Promise<void> {
    await this.#node.stop();
    await this.#engine.dispose();
  }

  async #reduce(step: number): Promise<Prepared> {
    const slots = Array.from({ length: this.#options.slots }, (_, slot) => slot);
    const outcome = await this.#node.begin({
      ...{ term: { number: 1, leader: SELF }, attempt: step, step },
      ...{ sets: [{ worker: SELF, address: '', slots }], from: [], isVoid: false, shadow: false },
    });
    if (outcome.kind === 'prepared') return outcome;
    throw new CriaError('STATE_DAMAGED', `step ${step} could not be summed: ${outcome.why}`);
  }

  #readReport(bytes: Uint8Array): { lossBits: number[]; flagged: number[] } {
    const { slots } = this.#options;
    const report = ReportPart.decode(bytes, slots, this.state.partVersion.length);
    const facts = Array.from({ length: slots }, (_, slot) => report.slot(slot));
    return {
      lossBits: facts.map(({ lossBits }) => lossBits),
      flagged: facts.filter(({ flagged }) => flagged).map(({ slot }) => slot),
    };
  }
}
