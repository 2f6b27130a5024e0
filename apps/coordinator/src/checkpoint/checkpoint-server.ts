// Serves the bytes of checkpoints to workers that load one: the same Fetch as between workers, so that they need no
// disk in common.
import { CheckpointReader, STATE_KINDS, type CheckpointStore } from '@cria/checkpoint';
import {
  Change,
  plainPeerServer,
  statePartFacts,
  type PartAnswer,
  type PartSource,
  type StatePartFacts,
} from '@cria/collective';
import type { ParameterLayout } from '@cria/model/config';
import { Content, type FetchRequest } from '@cria/protocol';
import { CriaError, systemClock } from '@cria/runtime';

export interface CheckpointServerOptions {
  readonly store: CheckpointStore;
  readonly layout: ParameterLayout;
  readonly runId: string;
  readonly host: string;
}

export interface CheckpointServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** Parts read from disk and not asked for yet. */
const PARTS_KEPT = 32;

export async function startCheckpointServer(options: CheckpointServerOptions): Promise<CheckpointServer> {
  const source = new CheckpointSource(options);
  const server = plainPeerServer({ clock: systemClock, source });
  const address = await server.start({ host: options.host, port: 0 });
  return {
    address,
    stop: async () => {
      await server.stop();
      await source.close();
    },
  };
}

class CheckpointSource implements PartSource {
  readonly #options: CheckpointServerOptions;
  readonly #facts: StatePartFacts;
  readonly #change = new Change();
  readonly #ready = new Map<string, PartAnswer>();
  readonly #reading = new Set<string>();
  #reader: { readonly step: number; readonly reader: Promise<CheckpointReader> } | null = null;

  constructor(options: CheckpointServerOptions) {
    this.#options = options;
    this.#facts = statePartFacts(options.layout.paddedSize);
  }

  answer(request: FetchRequest): PartAnswer {
    const { runId } = this.#options;
    if (request.runId !== runId) return { kind: 'refused', reason: `this is run ${runId}` };
    if (request.content !== Content.CONTENT_STATE)
      return { kind: 'refused', reason: 'a coordinator serves checkpoints only' };
    if (request.part >= this.#facts.numParts)
      return { kind: 'refused', reason: `the state has no part ${request.part}` };
    const key = `${request.step}/${request.part}`;
    const ready = this.#ready.get(key);
    if (ready !== undefined) return ready;
    if (!this.#reading.has(key)) void this.#read(key, request);
    return { kind: 'wait' };
  }

  changed(): Promise<void> {
    return this.#change.next();
  }

  async close(): Promise<void> {
    await this.#reader?.reader.then((reader) => reader.close()).catch(() => undefined);
  }

  async #read(key: string, { step, part }: FetchRequest): Promise<void> {
    this.#reading.add(key);
    try {
      this.#keep(key, await this.#part(step, part));
    } catch (error) {
      this.#keep(key, { kind: 'refused', reason: CriaError.from(error).message });
    } finally {
      this.#reading.delete(key);
      this.#change.notify();
    }
  }

  #keep(key: string, answer: PartAnswer): void {
    this.#ready.set(key, answer);
    for (const old of this.#ready.keys()) {
      if (this.#ready.size <= PARTS_KEPT) break;
      this.#ready.delete(old);
    }
  }

  async #part(step: number, part: number): Promise<PartAnswer> {
    const reader = await this.#open(step);
    const { from, to } = this.#facts.range(part);
    const values = new Float32Array(3 * (to - from));
    for (const [i, kind] of STATE_KINDS.entries()) {
      await reader.readPart(kind, from, values.subarray(i * (to - from), (i + 1) * (to - from)));
    }
    const bytes = new Uint8Array(values.buffer);
    return { kind: 'part', bytes, digest: this.#facts.digest(part, bytes), position: step, slots: [] };
  }

  /** The checkpoint was verified when it was chosen; CRC and the state digest guard the way from here on. */
  #open(step: number): Promise<CheckpointReader> {
    if (this.#reader?.step === step) return this.#reader.reader;
    const before = this.#reader;
    const { store, layout } = this.#options;
    this.#reader = { step, reader: CheckpointReader.open({ store, step, layout, verify: false }) };
    this.#reader.reader.catch(() => (this.#reader = null));
    before?.reader.then((reader) => reader.close()).catch(() => undefined);
    return this.#reader.reader;
  }
}
