import type { Command } from 'commander';
import { describeCommand } from '../command.js';

export function benchCommand(): Command {
  return describeCommand('bench', 'Under construction.', 'cria bench');
}
