import type { Command } from 'commander';
import { describeCommand } from '../command.js';

export function auditCommand(): Command {
  return describeCommand('audit', 'Under construction.', 'cria audit');
}
