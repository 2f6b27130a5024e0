import type { Command } from 'commander';
import { describeCommand } from '../command.js';

export function checkpointsCommand(): Command {
  return describeCommand('checkpoints', 'Under construction.', 'cria checkpoints');
}
