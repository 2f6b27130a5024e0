import type { ShardsBudget } from '@cria/queue';
import type { RunContext } from '../run-context.js';

/** Shards are windows of steps for people to look at: about fifty a run. */
const SHARDS = 50;

export function shardsBudget({ endStep }: RunContext, fromStep: number): ShardsBudget {
  return { steps: endStep, shardSteps: Math.max(1, Math.ceil(endStep / SHARDS)), fromStep };
}
