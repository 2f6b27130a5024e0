// A second file, so that two cores work at once.
import { describe, it } from 'vitest';
import { runSchedules } from './schedules.js';

describe('a simulated cluster, once more', () => {
  it('computes what one undisturbed worker computes, whatever happens, in 1,000 other schedules', () => {
    runSchedules(1000, 1000);
  }, 600_000);
});
