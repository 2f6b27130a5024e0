// What the coordinators of a run say about it through its directory: run.json, metrics.jsonl, events.jsonl.
import { join } from 'node:path';
import type { RunFile } from '@cria/coordinator';
import {
  EVENTS_FILE,
  METRICS_FILE,
  parseRunEvent,
  parseStepMetrics,
  type RunEvent,
  type StepMetrics,
} from '@cria/metrics';
import { readRunFile } from '../run/run-file.js';
import { TailFile } from './tail-file.js';

export interface News {
  readonly steps: readonly StepMetrics[];
  readonly events: readonly RunEvent[];
  /** null until one of our own coordinators has written it. */
  readonly file: RunFile | null;
}

export class RunWatch {
  readonly #outDir: string;
  readonly #metrics: TailFile;
  readonly #events: TailFile;
  readonly #isOurs: (pid: number) => boolean;

  /** @param isOurs whether a process is a coordinator of ours: an older run.json tells of an earlier life */
  constructor(outDir: string, isOurs: (pid: number) => boolean) {
    this.#outDir = outDir;
    this.#isOurs = isOurs;
    this.#metrics = new TailFile(join(outDir, METRICS_FILE));
    this.#events = new TailFile(join(outDir, EVENTS_FILE));
    this.#metrics.skipToEnd();
    this.#events.skipToEnd();
  }

  /** What is new since the last call. Reading run.json first: an ended run's last step is then among the steps. */
  read(): News {
    const file = this.runFile();
    return {
      file,
      steps: this.#metrics.read().flatMap((line) => parsed(line, parseStepMetrics)),
      events: this.#events.read().flatMap((line) => parsed(line, parseRunEvent)),
    };
  }

  runFile(): RunFile | null {
    const file = readRunFile(this.#outDir);
    return file?.coordinators.some(({ pid }) => this.#isOurs(pid)) ? file : null;
  }
}

/** A damaged line is left out here; `cria audit` is for that. */
function parsed<T extends object>(line: string, parse: (value: unknown) => T | string): T[] {
  const value = parse(parseJson(line));
  return typeof value === 'string' ? [] : [value];
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
