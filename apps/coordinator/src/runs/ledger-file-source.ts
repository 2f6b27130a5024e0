// A run's ledger.jsonl for pages: read once and then only what is new, both chains followed on the way, and the place of every entry
// remembered so that a page costs one read. What `cria audit` proves it does not: manifests are not compared here.
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { genesisPoint, linkFault, parseLine, pointAfter } from '@cria/ledger';
import type { ChainPoint, LedgerEntry } from '@cria/ledger';
import { CriaError, systemCode } from '@cria/runtime';
import type { LedgerEntryView, LedgerSource, LedgerSummary } from '../http/run-view.js';

const READ_BYTES = 1 << 18;
const NEWLINE = 0x0a;

export interface LedgerFileOptions {
  readonly path: string;
  /** Where both chains begin; null when nobody said: then the first entry is believed. */
  readonly origin: { readonly runId: string; readonly genesis: string } | null;
}

interface Reading {
  /** Where each entry begins; the last is where the next one will. */
  offsets: number[];
  point: ChainPoint | null;
  nextStep: number;
  tokens: number;
  skippedSteps: number;
  skippedTokens: number;
  gaps: number;
  overlaps: number;
  terms: Set<string>;
  problem: string;
}

export class LedgerFileSource implements LedgerSource {
  readonly #options: LedgerFileOptions;
  #reading: Reading;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(options: LedgerFileOptions) {
    this.#options = options;
    this.#reading = begin(options);
  }

  async summary(): Promise<LedgerSummary> {
    const read = this.#busy.then(() => this.#readOn());
    this.#busy = read.catch(() => undefined);
    await read;
    const { offsets, point, tokens, skippedSteps, skippedTokens, gaps, overlaps, terms, problem } =
      this.#reading;
    const total = offsets.length - 1;
    return {
      total,
      head:
        point === null || total === 0
          ? null
          : { step: point.step, mathHash: point.mathHash, opsHash: point.opsHash },
      ...{ tokens, skippedSteps, skippedTokens, gaps, overlaps },
      terms: terms.size,
      chain: problem === '' ? 'whole' : 'broken',
      problem,
    };
  }

  async entries(from: number, count: number): Promise<LedgerEntryView[]> {
    const { offsets } = this.#reading;
    const end = Math.min(from + count, offsets.length - 1);
    const start = offsets[from];
    const stop = offsets[end];
    if (start === undefined || stop === undefined || start >= stop) return [];
    const file = await open(this.#options.path, 'r');
    try {
      const bytes = Buffer.alloc(stop - start);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      const lines = bytes.toString('utf8', 0, bytesRead).split('\n');
      return lines.filter((line) => line !== '').map((line) => viewOf(parseLine(line)));
    } finally {
      await file.close();
    }
  }

  async #readOn(): Promise<void> {
    const file = await this.#open();
    if (file === null) return;
    try {
      // Somebody who took over may have cut entries away and written others.
      if ((await file.stat()).size < (this.#reading.offsets.at(-1) ?? 0))
        this.#reading = begin(this.#options);
      if (this.#reading.problem === '') await this.#readFrom(file);
    } finally {
      await file.close();
    }
  }

  async #open(): Promise<FileHandle | null> {
    const { path } = this.#options;
    try {
      return await open(path, 'r');
    } catch (cause) {
      if (systemCode(cause) === 'ENOENT') return null;
      throw new CriaError('STORAGE_FAILED', `${path} cannot be read`, { cause });
    }
  }

  async #readFrom(file: FileHandle): Promise<void> {
    const chunk = Buffer.alloc(READ_BYTES);
    let rest = Buffer.alloc(0);
    for (;;) {
      const at = (this.#reading.offsets.at(-1) ?? 0) + rest.length;
      const { bytesRead } = await file.read(chunk, 0, READ_BYTES, at);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        if (!this.#take(bytes.toString('utf8', start, end), end + 1 - start)) return;
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
  }

  /** @returns false when the ledger is broken here: nothing behind this place counts */
  #take(line: string, sizeBytes: number): boolean {
    const reading = this.#reading;
    try {
      const entry = parseLine(line, `entry ${reading.offsets.length - 1}`);
      const fault = reading.point === null ? null : linkFault(reading.point, entry);
      if (fault !== null) reading.problem = `step ${entry.math.step}: ${fault}`;
      count(reading, entry);
    } catch (error) {
      reading.problem = CriaError.from(error).message;
    }
    if (reading.problem !== '') return false;
    reading.offsets.push((reading.offsets.at(-1) ?? 0) + sizeBytes);
    return true;
  }
}

function begin({ origin }: LedgerFileOptions): Reading {
  return {
    offsets: [0],
    point: origin === null ? null : genesisPoint(origin.runId, origin.genesis),
    nextStep: 0,
    ...{ tokens: 0, skippedSteps: 0, skippedTokens: 0, gaps: 0, overlaps: 0 },
    terms: new Set(),
    problem: '',
  };
}

function count(reading: Reading, entry: LedgerEntry): void {
  const { math, ops } = entry;
  if (math.step > reading.nextStep) reading.gaps += math.step - reading.nextStep;
  if (math.step < reading.nextStep) reading.overlaps++;
  reading.nextStep = math.step + 1;
  reading.tokens += math.tokens;
  if (math.verdict !== 'use') {
    reading.skippedSteps++;
    reading.skippedTokens += math.tokens;
  }
  reading.terms.add(`${ops.term.number} ${ops.term.leader}`);
  reading.point = pointAfter(entry);
}

function viewOf({ math, ops, mathHash, opsHash }: LedgerEntry): LedgerEntryView {
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    step: math.step,
    tokens: math.tokens,
    loss: finite(math.loss),
    gradNorm: finite(math.gradNorm),
    lr: math.lr,
    verdict: math.verdict,
    flagged: math.flagged,
    attempt: ops.attempt,
    members: ops.members,
    term: ops.term.number,
    leader: ops.term.leader,
    wallMs: ops.wallMs,
    mathHash,
    opsHash,
    recovered: ops.recovered === true,
  };
}
