// A run that lies on disk: trained here once, or written by the logging library of another program. Everything comes from its
// directory, and all of it may be damaged or hostile.
import { timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DirectoryStore } from '@cria/checkpoint';
import { EVENTS_FILE, MetricIndex, readEventsFile } from '@cria/metrics';
import type { Alert, MetricHistory, RunEvent } from '@cria/metrics';
import { parseYaml } from '@cria/protocol';
import type { Log } from '@cria/runtime';
import { flatConfig } from '../http/flat-config.js';
import type {
  CheckpointView,
  LedgerSource,
  LiveRun,
  Notes,
  RunFacts,
  RunView,
  Sample,
} from '../http/run-view.js';
import { RUN_FILE } from '../cluster/run-file.js';
import { checkpointViews } from './checkpoint-views.js';
import { JsonlRecords } from './jsonl-records.js';
import { LedgerFileSource } from './ledger-file-source.js';
import { ALERTS_FILE, SAMPLES_FILE, isAlert, isSample, latestAlerts, latestSamples } from './records.js';
import { readNotes, writeNotes } from './run-notes.js';

const MAX_SMALL_FILE_BYTES = 4 << 20;
const MAX_EVENTS = 100_000;

export class StoredRun implements RunView {
  readonly directory: string;
  readonly #log: Log;
  #runFile: Readonly<Record<string, unknown>> = {};
  #config: unknown = null;
  #flat: ReturnType<typeof flatConfig> = {};
  #index: MetricIndex | null = null;
  #events: RunEvent[] = [];
  #eventsSeen = '';
  #ledger: LedgerFileSource | null = null;
  readonly #alerts: JsonlRecords<Alert>;
  readonly #samples: JsonlRecords<Sample>;
  readonly #checkpoints = new Map<number, CheckpointView>();

  constructor(directory: string, log: Log) {
    this.directory = directory;
    this.#log = log;
    this.#alerts = new JsonlRecords(join(directory, ALERTS_FILE), isAlert);
    this.#samples = new JsonlRecords(join(directory, SAMPLES_FILE), isSample);
    this.#readFacts();
  }

  /** Reads what has come since; the first time everything. */
  async refresh(): Promise<void> {
    this.#readFacts();
    const onTrouble = (error: Error): void =>
      this.#log.info({ directory: this.directory, error: error.message }, 'an index is kept in memory only');
    this.#index ??= await MetricIndex.open({ directory: this.directory, schema: this.#schema(), onTrouble });
    await Promise.all([this.#index.catchUp(), this.#readEvents(), this.#alerts.refresh()]);
  }

  async close(): Promise<void> {
    await this.#index?.close();
  }

  facts(): RunFacts {
    const { run, runId, project, phase, failure, startedWallMs, endedWallMs, steps } = this.#runFile;
    const name = basename(this.directory);
    const history = this.#index?.history ?? null;
    const sequence = product(this.#flat['budget.sequenceLength'], this.#flat['budget.globalBatch']);
    const ended = endedPhase(phase);
    const isLogged = this.#schema() === 'open';
    const lastWallMs = history?.column('wallMs').lastFinite() ?? null;
    return {
      id: text(runId) ?? name,
      run: text(run) ?? text(this.#flat.run) ?? name,
      runId: text(runId) ?? name,
      project: text(project),
      source: isLogged ? 'logged' : 'cria',
      phase: ended ?? (isLogged && phase === 'running' ? 'running' : 'unknown'),
      reason: text(failure) ?? '',
      steps: count(steps) ?? count(this.#flat['budget.steps']),
      tokensPerStep: sequence,
      parameters: null,
      startedWallMs: count(startedWallMs) ?? history?.segments[0]?.startedWallMs ?? null,
      endedWallMs: count(endedWallMs) ?? (ended === null ? null : lastWallMs),
    };
  }

  config(): unknown {
    return this.#config;
  }

  metrics(): MetricHistory {
    if (this.#index === null) throw new Error('a stored run is refreshed before it is read');
    return this.#index.history;
  }

  events(): readonly RunEvent[] {
    return this.#events;
  }

  async checkpoints(): Promise<readonly CheckpointView[]> {
    const place = text(this.#flat['checkpoint.store']) ?? join(this.directory, 'checkpoints');
    if (statOf(place) === null) return [];
    return checkpointViews(new DirectoryStore(place), this.#checkpoints);
  }

  ledger(): LedgerSource {
    const runId = text(this.#runFile.runId);
    const genesis = text(this.#runFile.genesis);
    const origin = runId === null || genesis === null ? null : { runId, genesis };
    this.#ledger ??= new LedgerFileSource({ path: join(this.directory, 'ledger.jsonl'), origin });
    return this.#ledger;
  }

  async samples(): Promise<readonly Sample[]> {
    return latestSamples(await this.#samples.refresh());
  }

  alerts(): readonly Alert[] {
    return latestAlerts(this.#alerts.records);
  }

  logsDirectory(): string {
    return join(this.directory, 'logs');
  }

  notes(): Notes {
    return readNotes(this.directory);
  }

  setNotes(notes: Notes): Promise<void> {
    return writeNotes(this.directory, notes);
  }

  authorised(token: string): boolean {
    const wanted = text(this.#runFile.token);
    if (wanted === null) return false;
    const [given, known] = [Buffer.from(token), Buffer.from(wanted)];
    return given.length === known.length && timingSafeEqual(given, known);
  }

  live(): LiveRun | null {
    return null;
  }

  #schema(): 'cria' | 'open' {
    return this.#runFile.source === undefined && this.#runFile.genesis !== undefined ? 'cria' : 'open';
  }

  #readFacts(): void {
    const json = smallFile(join(this.directory, RUN_FILE));
    this.#runFile = mappingOf(json, (text) => JSON.parse(text) as unknown) ?? this.#runFile;
    if (this.#config !== null) return;
    const yaml = smallFile(join(this.directory, 'config.yaml'));
    this.#config = mappingOf(yaml, parseYaml);
    this.#flat = flatConfig(this.#config);
  }

  async #readEvents(): Promise<void> {
    const path = join(this.directory, EVENTS_FILE);
    const facts = statOf(path);
    const seen = facts === null ? '' : `${facts.size} ${facts.mtimeMs}`;
    if (seen === this.#eventsSeen) return;
    const events: RunEvent[] = [];
    await readEventsFile(path, (event) => events.push(event));
    this.#events = events.slice(-MAX_EVENTS);
    this.#eventsSeen = seen;
  }
}

function endedPhase(phase: unknown): 'finished' | 'stopped' | 'failed' | null {
  return phase === 'finished' || phase === 'stopped' || phase === 'failed' ? phase : null;
}

function smallFile(path: string): string {
  const facts = statOf(path);
  if (facts === null || facts.size > MAX_SMALL_FILE_BYTES) return '';
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function statOf(path: string): { size: number; mtimeMs: number } | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

function mappingOf(
  file: string,
  parseText: (text: string) => unknown,
): Readonly<Record<string, unknown>> | null {
  try {
    const value = parseText(file);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

function product(a: unknown, b: unknown): number | null {
  return typeof a === 'number' && typeof b === 'number' ? a * b : null;
}
