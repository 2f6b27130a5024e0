import type { Command } from 'commander';
import { describeCommand } from '../command.js';

export function generateCommand(): Command {
  return describeCommand('generate', 'Under construction.', 'cria generate');
}
