// A program on a real pseudo-terminal, by util-linux' `script`, which every Debian has (macOS' differs in its arguments).
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@cria/runtime';
import { VirtualScreen } from './virtual-screen.js';

/** null: there is a pseudo-terminal to be had; else one sentence that says what is missing. */
export function noPseudoTerminal(): string | null {
  const { status, stdout } = spawnSync('script', ['--version'], { encoding: 'utf8' });
  if (status === 0 && stdout.includes('util-linux')) return null;
  return 'needs script(1) of util-linux (Debian: apt-get install bsdutils)';
}

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly env?: NodeJS.ProcessEnv;
}

const DEADLINE_MS = 60_000;

export class PseudoTerminal {
  readonly screen: VirtualScreen;
  /** Everything that was written. */
  output = '';
  readonly #child: ChildProcess;
  readonly #folder: string;
  #failure: Error | null = null;
  #notify: () => void = () => undefined;
  #exitCode: number | null = null;

  /** Starts `argv`; its exit code is written to a file, as `script` has its own ideas of it. */
  constructor(argv: readonly string[], options: TerminalOptions) {
    const { columns, rows, env = {} } = options;
    this.screen = new VirtualScreen(columns, rows);
    this.#folder = mkdtempSync(join(tmpdir(), 'cria-pty-'));
    const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    const before = `stty cols ${columns} rows ${rows}; tty > tty; stty -g > before`;
    const command = `cd ${this.#folder}; ${before}; sh -c 'echo $$ > pid; exec "$@"' sh ${quoted}; echo $? > code; stty -g > after`;
    this.#child = spawn('script', ['-qfec', command, '/dev/null'], {
      env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm', LANG: 'C.UTF-8', LC_ALL: '', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const decoder = new TextDecoder();
    this.#child.stdout?.on('data', (bytes: Buffer) => this.#take(decoder.decode(bytes, { stream: true })));
    this.#child.once('close', (code) => {
      this.#exitCode = code;
      this.#notify();
    });
  }

  /** Keys as a person presses them: `\u001b[A` is the arrow up. */
  press(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(Number(this.#file('pid')), signal);
  }

  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows);
    execFileSync('stty', ['-F', this.#file('tty'), 'cols', String(columns), 'rows', String(rows)]);
  }

  /** Waits until the screen shows it. */
  async shows(what: string | RegExp | ((text: string) => boolean)): Promise<void> {
    const isShown = (): boolean => {
      const text = this.screen.text();
      if (typeof what === 'function') return what(text);
      return typeof what === 'string' ? text.includes(what) : what.test(text);
    };
    await this.#until(isShown, () => `${String(what)} in\n${this.screen.text()}`);
  }

  /** The program's exit code, and whether the terminal is as it was before. */
  async ended(): Promise<{ code: number; restored: boolean }> {
    await this.#until(
      () => this.#exitCode !== null,
      () => `its end; it shows\n${this.screen.text()}`,
    );
    const isSame = this.#file('before') === this.#file('after');
    return {
      code: Number(this.#file('code')),
      restored: isSame && !this.screen.alternate && this.screen.cursorShown,
    };
  }

  close(): void {
    this.#child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #take(text: string): void {
    this.output += text;
    try {
      this.screen.write(text);
    } catch (error) {
      this.#failure ??= error as Error;
    }
    this.#notify();
  }

  async #until(condition: () => boolean, what: () => string): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + DEADLINE_MS;
    while (!condition()) {
      if (this.#failure !== null) throw this.#failure;
      const leftMs = deadlineMs - systemClock.monotonicMs();
      if (leftMs <= 0) throw new Error(`waited in vain for ${what()}`);
      await new Promise<void>((resolve) => {
        const timer = systemClock.timer(leftMs, resolve);
        this.#notify = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    if (this.#failure !== null) throw this.#failure;
  }

  #file(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8').trim();
  }
}
