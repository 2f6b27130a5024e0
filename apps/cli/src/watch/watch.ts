// `cria watch` on a terminal: input goes through the model (model.ts), what it shows is laid out (layout.ts) and drawn
// where it has changed (screen.ts).
import { terminalStyle, type TerminalStyle } from '@cria/metrics';
import { CriaError, EXIT, type Clock, type Timer } from '@cria/runtime';
import type { RunHandle } from '../run/find-run.js';
import { acknowledgeAlert, sendWish } from '../run/run-client.js';
import { render } from './ink.js';
import { layout } from './layout.js';
import {
  initialModel,
  take,
  type Question,
  type WatchEffect,
  type WatchInput,
  type WatchModel,
} from './model.js';
import { RunFeed } from './run-feed.js';
import { Screen, type TerminalOutput } from './screen.js';

/** Often enough to look live, seldom enough for a slow line. */
const FRAME_MS = 60;
/** The age of the last contact is shown in seconds. */
const TICK_MS = 1_000;

export interface WatchOptions {
  readonly handle: RunHandle;
  /** Asked for at every connection: the addresses of a run that was started again are others. */
  readonly bases: () => readonly string[];
  readonly clock: Clock;
  readonly input: NodeJS.ReadStream;
  readonly output: TerminalOutput;
  readonly env: NodeJS.ProcessEnv;
}

/** Shows the run until somebody quits; resolves to the exit code. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #style: TerminalStyle;
  readonly #screen: Screen;
  readonly #feed: RunFeed;
  readonly #over = new AbortController();
  #model: WatchModel;
  #frame: Timer | null = null;
  #tick: Timer | null = null;

  constructor(options: WatchOptions) {
    const { clock, handle, bases, input, output, env } = options;
    this.#options = options;
    this.#style = terminalStyle(output, env);
    this.#model = initialModel({ canControl: handle.token !== null, nowMs: clock.monotonicMs() });
    this.#screen = new Screen(input, output, {
      onKey: (name) => this.#take({ kind: 'key', name }),
      onResize: () => this.#resized(),
    });
    this.#feed = new RunFeed({
      ...{ bases, clock },
      settings: () => this.#model.settings,
      points: () => Math.max(2, 2 * this.#screen.size.columns),
      onInput: (input) => this.#take(input),
    });
  }

  async run(signal: AbortSignal): Promise<number> {
    this.#screen.enter();
    try {
      this.#draw();
      this.#armTick();
      await this.#feed.follow(AbortSignal.any([signal, this.#over.signal]));
    } finally {
      this.#frame?.cancel();
      this.#tick?.cancel();
      this.#screen.leave();
    }
    return signal.aborted ? Number(signal.reason) : (this.#over.signal.reason as number);
  }

  #take(input: WatchInput): void {
    const { model, effects } = take(this.#options.clock.monotonicMs(), this.#model, input);
    this.#model = model;
    for (const effect of effects) this.#carryOut(effect, input);
    this.#drawSoon();
  }

  #carryOut(effect: WatchEffect, input: WatchInput): void {
    switch (effect.kind) {
      case 'quit':
        return this.#over.abort(input.kind === 'key' && input.name === 'ctrl-c' ? EXIT.sigint : EXIT.done);
      case 'suspend':
        return this.#suspend();
      case 'redraw-all':
        return this.#screen.clear();
      case 'fetch-curves':
        return this.#feed.fetchCurves();
      case 'wish':
        void this.#wish(effect.wish);
    }
  }

  async #wish(wish: Question): Promise<void> {
    const { handle, bases } = this.#options;
    try {
      const reached = { ...handle, bases: bases() };
      if (typeof wish === 'string') await sendWish(reached, wish);
      else await acknowledgeAlert(reached, wish.acknowledge.id);
      this.#take({ kind: 'notice', text: doneText(wish) });
    } catch (error) {
      this.#take({ kind: 'notice', text: CriaError.from(error).message });
    }
  }

  /** Ctrl-Z: the shell gets its terminal back until `fg`. */
  #suspend(): void {
    this.#screen.leave();
    process.once('SIGCONT', () => {
      this.#screen.enter();
      this.#draw();
    });
    process.kill(process.pid, 'SIGTSTP');
  }

  #resized(): void {
    this.#feed.fetchCurves();
    this.#draw();
  }

  #armTick(): void {
    this.#tick = this.#options.clock.timer(TICK_MS, () => {
      this.#draw();
      this.#armTick();
    });
  }

  #drawSoon(): void {
    this.#frame ??= this.#options.clock.timer(FRAME_MS, () => this.#draw());
  }

  #draw(): void {
    this.#frame?.cancel();
    this.#frame = null;
    const { size } = this.#screen;
    const lines = layout(this.#model, size, this.#style, this.#options.clock.monotonicMs());
    const colours = !this.#options.env['NO_COLOR'];
    this.#screen.draw(lines.map((line) => render(line, size.columns, this.#style, colours)));
  }
}

function doneText(wish: Question): string {
  if (wish === 'pause') return 'the run pauses after this step';
  return wish === 'resume' ? 'the run goes on' : 'acknowledged';
}
