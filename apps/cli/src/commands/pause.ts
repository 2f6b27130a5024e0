import type { Command } from 'commander';
import { wishCommand } from '../run/wish-command.js';

export function pauseCommand(): Command {
  const summary = 'Pauses a run; it takes effect at the next step.';
  return wishCommand({ wish: 'pause', summary, done: 'pauses at its next step' });
}
