import { defineConfig } from 'vitest/config';

// Tests run their own package from src/ and every other package from dist/ (build first).
export default defineConfig({
  test: {
    pool: 'forks',
    // Nothing is measured by it: it ends what hangs, on the slowest machine that is not hanging itself.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      // Clusters of real processes have the machine to themselves: what they promise is promised in seconds.
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['tests/e2e/src/**/*.test.ts'],
          sequence: { groupOrder: 0 },
          maxWorkers: 1,
        },
      },
      {
        extends: true,
        test: {
          name: 'parts',
          include: [
            'libs/*/src/**/*.test.ts',
            'apps/*/src/**/*.test.ts',
            'tests/simulation/src/**/*.test.ts',
          ],
          sequence: { groupOrder: 1 },
          maxWorkers: 2,
        },
      },
    ],
  },
});
