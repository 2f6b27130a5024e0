/** Steps fromStep..toStep-1: a contiguous window of the budget. */
export interface ShardWindow {
  readonly fromStep: number;
  /** One past the last step. */
  readonly toStep: number;
}

/**
 * What is left of a budget, cut at multiples of `shardSteps`, so that a shard means the same steps whenever it is
 * published; the first and the last one may be shorter.
 */
export function shardWindows(budget: { fromStep: number; steps: number; shardSteps: number }): ShardWindow[] {
  const { fromStep, steps, shardSteps } = budget;
  const windows: ShardWindow[] = [];
  for (let from = fromStep; from < steps;) {
    const to = Math.min(steps, (Math.floor(from / shardSteps) + 1) * shardSteps);
    windows.push({ fromStep: from, toStep: to });
    from = to;
  }
  return windows;
}
