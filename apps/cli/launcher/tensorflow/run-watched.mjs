// Runs a program that fetches or compiles, with its progress on stderr and a bound on how long nothing may happen.
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 500;
const LINE_EVERY_MS = 5_000;
const LAST_WORDS_BYTES = 20_000;

/** @typedef {{ok: boolean, words: string, output: string}} Outcome whether it did its work; the line that tells most; all it said */

/**
 * @param {string} program
 * @param {ReadonlyArray<string>} args
 * @param {object} options
 * @param {string} options.label what people read: `fetching tensorflow-cpu 2.21.0`
 * @param {string} options.cwd
 * @param {string|null} options.growing the folder that grows while it works; null: nothing to watch
 * @param {number|null} options.totalBytes of that folder at the end, where known
 * @param {number} options.stallMs without growth it is ended after so long
 * @param {AbortSignal} options.signal
 * @param {NodeJS.ProcessEnv} [options.env]
 * @returns {Promise<Outcome>}
 */
export async function runWatched(program, args, options) {
  const { label, cwd, growing, totalBytes, stallMs, signal, env = process.env } = options;
  // Of a group of its own, so that whatever it starts ends with it.
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let words = '';
  const collect = (chunk) => (words = (words + chunk.toString()).slice(-LAST_WORDS_BYTES));
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const over = new AbortController();
  const closed = new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, why: error.message }));
    child.once('close', (code, killedBy) =>
      resolve({ code, why: killedBy === null ? null : `ended by ${killedBy}` }),
    );
  });
  const stalled = watch({
    label,
    growing,
    totalBytes,
    stallMs,
    signal: AbortSignal.any([over.signal, signal]),
  });
  const verdict = await Promise.race([closed, stalled.then((why) => ({ code: null, why }))]);
  over.abort();
  endGroup(child.pid);
  signal.throwIfAborted();
  const said = lastLine(words);
  return {
    ok: verdict.code === 0,
    words:
      [said, verdict.why].filter((part) => part !== null && part !== '').join('; ') ||
      `exit code ${verdict.code}`,
    output: words,
  };
}

/** Shows how the folder grows; resolves with a reason when it has not for too long, or when the signal aborts. */
async function watch({ label, growing, totalBytes, stallMs, signal }) {
  const line = new ProgressLine(label);
  let size = -1;
  let grewMs = Date.now();
  try {
    for (;;) {
      const now = growing === null ? 0 : folderSize(growing);
      if (now !== size) grewMs = Date.now();
      size = now;
      line.show(size, totalBytes);
      if (Date.now() - grewMs > stallMs) return `nothing happened for ${Math.round(stallMs / 1000)} s`;
      await sleep(POLL_MS, undefined, { signal });
    }
  } catch {
    return 'interrupted';
  } finally {
    line.end();
  }
}

/** One line that is written over on a terminal; a line now and then elsewhere. */
class ProgressLine {
  #label;
  #saidMs = 0;
  #said = '';

  constructor(label) {
    this.#label = label;
  }

  show(sizeBytes, totalBytes) {
    const isTerminal = process.stderr.isTTY === true;
    if (!isTerminal && Date.now() - this.#saidMs < LINE_EVERY_MS) return;
    const text = `setup: ${this.#label}${this.#amount(sizeBytes, totalBytes)}`;
    if (text === this.#said) return;
    this.#saidMs = Date.now();
    this.#said = text;
    process.stderr.write(isTerminal ? `\r\x1b[K${text}` : `${text}\n`);
  }

  end() {
    if (process.stderr.isTTY === true) process.stderr.write('\n');
  }

  #amount(sizeBytes, totalBytes) {
    if (sizeBytes === 0) return '';
    const megabytes = (bytes) => Math.round(bytes / 1e6);
    if (totalBytes === null) return `: ${megabytes(sizeBytes)} MB`;
    const percent = Math.min(100, Math.round((100 * sizeBytes) / totalBytes));
    return `: ${percent} % of ${megabytes(totalBytes)} MB`;
  }
}

function folderSize(folder) {
  let size = 0;
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) size += folderSize(path);
      else if (entry.isFile()) size += statSync(path).size;
    }
  } catch {
    // It changes under us: whatever is gone counts nothing.
  }
  return size;
}

function lastLine(words) {
  const lines = words
    .trim()
    .split('\n')
    .map((line) => line.trim());
  // Of a stack trace the sentence, not its frames.
  const sentences = lines.filter((line) => /error: /i.test(line));
  const telling = lines.filter(
    (line) => /error|cannot|failed|no space/i.test(line) && !line.startsWith('at '),
  );
  return (sentences.at(-1) ?? telling.at(-1) ?? lines.at(-1) ?? '').slice(0, 300);
}

function endGroup(pid) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
