import { defineConfig } from 'vitest/config';

// Measurements with real processes, for docs/benchmarks: npm run bench:recovery.
export default defineConfig({
  test: { include: ['tests/e2e/src/**/*.figures.ts'], pool: 'forks', fileParallelism: false },
});
