// pause, resume, stop: a wish without arguments.
import type { Command } from 'commander';
import { act, describeCommand } from '../command.js';
import { addFindOptions, findRun, type FindFlags } from './find-run.js';
import { sendWish, type Wish } from './run-client.js';

export interface WishCommand {
  readonly wish: Wish;
  readonly summary: string;
  /** What is true now, after the run's name. */
  readonly done: string;
}

export function wishCommand({ wish, summary, done }: WishCommand): Command {
  const command = describeCommand(wish, summary, `cria ${wish} --out runs/quickstart`);
  addFindOptions(command);
  return act<FindFlags>(command, async (terminal, flags) => {
    const { run, step } = await sendWish(findRun(flags), wish);
    terminal.result({ run, wish, step }, `${run} ${done}`);
  });
}
