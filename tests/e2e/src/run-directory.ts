// What a run's directory says to anybody with ordinary tools: one JSON object a line, or one a file.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectoryStore, readManifest, type Manifest } from '@cria/checkpoint';

export interface LedgerLine {
  readonly step: number;
  readonly members: ReadonlyArray<{ readonly worker: string; readonly slots: readonly number[] }>;
  readonly term: { readonly number: number };
  readonly verdict: string;
  readonly wallMs: number;
  readonly flagged: readonly number[];
}

export interface EventLine {
  readonly seq: number;
  readonly wallMs: number;
  readonly kind: string;
  readonly step: number;
  readonly text: string;
  readonly worker?: string;
}

export interface MetricsLine {
  readonly step: number;
  readonly attempts: number;
  readonly lostMs: number;
  readonly stepMs: number;
  readonly exchangeMs: number;
  readonly commitMs: number;
  readonly wallMs: number;
}

export interface SampleLine {
  readonly step: number;
  readonly prompt: number;
  readonly promptText: string;
  readonly text: string;
}

export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  ledger(): LedgerLine[] {
    return this.#lines<LedgerLine>('ledger.jsonl');
  }

  events(kind?: string): EventLine[] {
    return this.#lines<EventLine>('events.jsonl').filter(
      (event) => kind === undefined || event.kind === kind,
    );
  }

  /** Steps that were computed again, from the events that say so. */
  replayed(): number[] {
    return this.events('step-replayed').map(({ text }) => Number(/^step (\d+) /.exec(text)?.[1]));
  }

  metrics(): MetricsLine[] {
    return this.#lines<MetricsLine>('metrics.jsonl');
  }

  samples(): SampleLine[] {
    return this.#lines<SampleLine>('samples.jsonl');
  }

  /** Committed steps. */
  steps(): number {
    return this.ledger().length;
  }

  /** Steps of the checkpoints that have a manifest, newest first. */
  async checkpoints(): Promise<number[]> {
    if (!existsSync(this.file('checkpoints'))) return [];
    const stored = await this.#store().list();
    return stored.filter(({ complete }) => complete).map(({ step }) => step);
  }

  manifest(step: number): Promise<Manifest> {
    return readManifest(this.#store(), step);
  }

  /** Children of the newest `cria up` by place (`worker-0`, `coordinator-0`, `redis`), from its log. */
  children(): Map<string, number> {
    const places = new Map<string, number>();
    const lines = this.#lines<{ place?: string; childPid?: number; msg: string }>('logs/up.log');
    for (const { place, childPid, msg } of lines) {
      if (place === undefined || childPid === undefined) continue;
      if (msg === 'started') places.set(place, childPid);
      if (msg === 'ended') places.delete(place);
    }
    return places;
  }

  /** The end of every log, for the message of a failed test. */
  logs(lines: number): string {
    const folder = this.file('logs');
    if (!existsSync(folder)) return '(no logs)';
    return readdirSync(folder)
      .map(
        (name) =>
          `--- ${name}\n${readFileSync(join(folder, name), 'utf8').split('\n').slice(-lines).join('\n')}`,
      )
      .join('\n');
  }

  #store(): DirectoryStore {
    return new DirectoryStore(this.file('checkpoints'));
  }

  /** A line that is still being written is left out. */
  #lines<T>(name: string): T[] {
    const path = this.file(name);
    if (!existsSync(path)) return [];
    return readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as T);
  }
}
