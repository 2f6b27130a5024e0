import type { Command } from 'commander';
import { describeCommand } from '../command.js';

export function quickstartCommand(): Command {
  return describeCommand('quickstart', 'Under construction.', 'cria quickstart');
}
