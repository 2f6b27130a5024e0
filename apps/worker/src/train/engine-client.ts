import { CriaError, threadEntry } from '@cria/runtime';
import { SHARE_ENV, Worker } from 'node:worker_threads';
import type {
  EngineCallName,
  EngineCalls,
  FromEngine,
  TrainingSettings,
  UpdateOrder,
} from './engine-messages.js';

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** The engine thread, seen from the main thread. Calls are carried out one after the other, in order. */
export class EngineClient {
  readonly #onFailure: (error: Error) => void;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #nextId = 0;
  #closed = false;

  /** @param onFailure the thread ended unasked: the process should end too */
  constructor(onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
  }

  /** Starts the thread and its engine. Throws ENGINE_UNAVAILABLE with the remedy. */
  open(settings: TrainingSettings): Promise<EngineCalls['open']['answer']> {
    // TensorFlow reads its settings from the process's environment, which a thread otherwise has a copy of.
    const worker = new Worker(threadEntry(import.meta.url, './engine-thread'), { env: SHARE_ENV });
    worker.on('message', (message: FromEngine) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#fail(new CriaError('INTERNAL', 'the engine thread ended')));
    this.#worker = worker;
    return this.#call('open', settings);
  }

  makeState(): Promise<{ stateDigest: string }> {
    return this.#call('makeState', null);
  }

  adoptState(): Promise<{ stateDigest: string }> {
    return this.#call('adoptState', null);
  }

  slot(argument: EngineCalls['slot']['argument']): Promise<EngineCalls['slot']['answer']> {
    return this.#call('slot', argument);
  }

  stateDigest(): Promise<string> {
    return this.#call('stateDigest', null);
  }

  update(order: UpdateOrder): Promise<{ stateDigest: string }> {
    return this.#call('update', order);
  }

  rollForward(order: UpdateOrder): Promise<void> {
    return this.#call('rollForward', order);
  }

  evaluate(tokens: Uint16Array, sequences: number): Promise<Float32Array> {
    return this.#call('evaluate', { tokens, sequences });
  }

  /** Ends the thread; what is under way is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
    this.#rejectAll(new CriaError('EXCHANGE_ABORTED', 'the engine is closed'));
  }

  #call<Name extends EngineCallName>(
    name: Name,
    argument: EngineCalls[Name]['argument'],
  ): Promise<EngineCalls[Name]['answer']> {
    if (this.#worker === null || this.#closed) {
      return Promise.reject(new CriaError('EXCHANGE_ABORTED', 'the engine is closed'));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker?.postMessage({ id, name, argument });
    });
  }

  #receive(message: FromEngine): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'answer') pending?.resolve(message.value as never);
    else pending?.reject(CriaError.fromRecord(message.error));
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectAll(error);
    this.#onFailure(error);
  }

  #rejectAll(error: Error): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}
