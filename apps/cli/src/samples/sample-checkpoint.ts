// Continues a run's prompts with one of its checkpoints, in processes of their own, and appends the texts to samples.jsonl.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import type { RunConfig } from '@cria/protocol';
import { CriaError, type Clock } from '@cria/runtime';
import { directoryOf, openStore } from '../checkpoint/open-store.js';
import { CRIA_SCRIPT } from '../places.js';

export interface SampleOptions {
  readonly config: RunConfig;
  readonly outDir: string;
  readonly engine: string;
  readonly device: string;
  readonly clock: Clock;
  /** Its end kills a sample under way. */
  readonly signal: AbortSignal;
}

const SAMPLES_FILE = 'samples.jsonl';
const TIMEOUT_MS = 300_000;

/** Writes one line for each prompt of the run's configuration. Greedy, so that it can be repeated. */
export async function sampleCheckpoint(step: number, options: SampleOptions): Promise<void> {
  const { config, outDir, clock } = options;
  const checkpoint = directoryOf(openStore(outDir, config), step);
  for (const [prompt, promptText] of config.samples.prompts.entries()) {
    const { text, tokens } = await continueText(checkpoint, promptText, options);
    const sample = { step, prompt, promptText, text, tokens, worker: '', wallMs: clock.wallMs() };
    await appendFile(join(outDir, SAMPLES_FILE), `${JSON.stringify(sample)}\n`);
  }
}

/** Steps that have samples already; a line that is being written counts for nothing. */
export function sampledSteps(outDir: string): ReadonlySet<number> {
  const path = join(outDir, SAMPLES_FILE);
  if (!existsSync(path)) return new Set();
  const lines = readFileSync(path, 'utf8').split('\n');
  return new Set(lines.map((line) => Number(/^\{"step":(\d+),/.exec(line)?.[1] ?? Number.NaN)));
}

function continueText(
  checkpoint: string,
  prompt: string,
  { config, engine, device, signal }: SampleOptions,
): Promise<{ text: string; tokens: number }> {
  const args = [
    ...['generate', checkpoint, '--json', '--prompt', prompt, '--temperature', '0'],
    ...['--max-tokens', String(config.samples.maxTokens), '--engine', engine, '--device', device],
  ];
  const child = spawn(process.execPath, [CRIA_SCRIPT, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    signal,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  });
  lower(child.pid);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as { text: string; tokens: number });
      else reject(new CriaError('CHILD_FAILED', `generate ended with ${code}: ${output.slice(0, 300)}`));
    });
  });
}

/** Training goes first. */
function lower(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW);
  } catch {
    // It has ended already.
  }
}
