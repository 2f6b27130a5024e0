// Ends our children when we are gone, however we went (kill -9 included): a shell of a few hundred kilobytes whose
// stdin only we hold open. It is told of every child's start and end; at end of file it sends SIGTERM to those that
// are left, and SIGKILL to whoever is still there after GRACE_SECONDS (a stopped or hanging process too).
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { CriaError, type Log } from '@cria/runtime';

const GRACE_SECONDS = 5;

const SCRIPT = `
pids=
while read -r word pid; do
  case $word in
    started) pids="$pids $pid" ;;
    ended)
      left=
      for p in $pids; do [ "$p" = "$pid" ] || left="$left $p"; done
      pids=$left ;;
  esac
done
[ -n "$pids" ] || exit 0
kill -TERM $pids 2>/dev/null
seconds=0
while [ $seconds -lt ${GRACE_SECONDS} ]; do
  alive=
  for p in $pids; do kill -0 $p 2>/dev/null && alive="$alive $p"; done
  [ -n "$alive" ] || exit 0
  sleep 1
  seconds=$((seconds + 1))
done
kill -KILL $alive 2>/dev/null
`;

export class Watchdog {
  readonly #log: Log;
  readonly #living = new Set<number>();
  #shell: ChildProcess | null = null;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Starts the shell; when somebody kills it, another one takes its place. */
  start(): void {
    // Of its own session, so that Ctrl-C in the terminal does not reach it.
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'cria-watchdog'], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#shell = shell;
    shell.on('error', (error) => this.#replace(shell, error.message));
    shell.on('exit', (code, signal) => this.#replace(shell, signal ?? `exit code ${code}`));
    shell.stdin?.on('error', () => undefined);
    for (const pid of this.#living) this.#tell(`started ${pid}`);
  }

  started(pid: number): void {
    this.#living.add(pid);
    this.#tell(`started ${pid}`);
  }

  ended(pid: number): void {
    this.#living.delete(pid);
    this.#tell(`ended ${pid}`);
  }

  /** Lets the shell go, and waits for its end: what is still alive then is ended by it, so nobody is left behind. */
  async stop(): Promise<void> {
    const shell = this.#shell;
    this.#shell = null;
    if (shell === null || shell.exitCode !== null || shell.signalCode !== null) return;
    const ended = once(shell, 'exit');
    shell.stdin?.end();
    await ended;
  }

  #replace(shell: ChildProcess, why: string): void {
    if (this.#shell !== shell) return;
    if (shell.pid === undefined) {
      this.#shell = null;
      throw new CriaError('ENVIRONMENT_MISSING', `/bin/sh does not start (${why}): Cria needs it`);
    }
    this.#log.warn({ why }, 'the watchdog ended; starting another');
    this.start();
  }

  #tell(line: string): void {
    this.#shell?.stdin?.write(`${line}\n`);
  }
}
