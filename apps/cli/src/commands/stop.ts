import type { Command } from 'commander';
import { wishCommand } from '../run/wish-command.js';

export function stopCommand(): Command {
  const summary = 'Stops a run after a checkpoint; `cria up --resume` goes on with it.';
  return wishCommand({ wish: 'stop', summary, done: 'stops after a checkpoint' });
}
