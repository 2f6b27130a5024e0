import type { Command } from 'commander';
import { wishCommand } from '../run/wish-command.js';

export function resumeCommand(): Command {
  const summary = 'Ends a pause. (A run that was stopped goes on with `cria up --resume`.)';
  return wishCommand({ wish: 'resume', summary, done: 'goes on' });
}
