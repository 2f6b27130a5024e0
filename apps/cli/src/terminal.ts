// Where a command's words go: its result on stdout, everything else where it does not disturb the result.
import { systemClock, type Clock } from '@cria/runtime';

export interface Terminal {
  readonly json: boolean;
  /** Where people read: stdout, or stderr under `--json`. */
  readonly stream: NodeJS.WriteStream;
  /** One line for people: stdout, or stderr under `--json`. */
  line(text: string): void;
  /** The command's result: the one JSON object under `--json`, else the text. */
  result(value: object, text: string): void;
  /** A progress bar on a terminal, now and then a plain line elsewhere. */
  progress(what: string): Progress;
}

export interface Progress {
  /** `total` null: not known. */
  update(done: number, total: number | null): void;
  end(): void;
}

export function createTerminal(options: { json: boolean }): Terminal {
  const { json } = options;
  const stream = json ? process.stderr : process.stdout;
  return {
    json,
    stream,
    line: (text) => void stream.write(`${text}\n`),
    result: (value, text) => {
      process.stdout.write(
        json ? `${JSON.stringify(value)}\n` : text === '' || text.endsWith('\n') ? text : `${text}\n`,
      );
    },
    progress: (what) => (stream.isTTY ? bar(stream, what) : plainLines(stream, what, systemClock)),
  };
}

const BAR_COLUMNS = 30;
const PLAIN_LINE_MS = 2000;

function bar(stream: NodeJS.WriteStream, what: string): Progress {
  let shown = '';
  return {
    update(done, total) {
      const next = `${what} ${drawBar(done, total)}`;
      if (next !== shown) stream.write(`\r\x1b[2K${next}`);
      shown = next;
    },
    end: () => void stream.write('\r\x1b[2K'),
  };
}

function drawBar(done: number, total: number | null): string {
  if (total === null || total === 0) return done.toLocaleString('en-US');
  const share = Math.min(1, done / total);
  const full = Math.round(share * BAR_COLUMNS);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_COLUMNS - full)}] ${Math.floor(share * 100)} %`;
}

/** Short work says nothing; long work, at most a line every two seconds. */
function plainLines(stream: NodeJS.WriteStream, what: string, clock: Clock): Progress {
  let saidMs = clock.monotonicMs();
  return {
    update(done, total) {
      const nowMs = clock.monotonicMs();
      if (nowMs - saidMs < PLAIN_LINE_MS || total === null || total === 0) return;
      stream.write(`${what}: ${Math.floor((done / total) * 100)} %\n`);
      saidMs = nowMs;
    },
    end: () => undefined,
  };
}
