import { defineConfig } from 'vitest/config';

// Tests run their own package from src/ and every other package from dist/ (build first).
export default defineConfig({
  test: {
    include: ['libs/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/*/src/**/*.test.ts'],
    testTimeout: 20_000,
    pool: 'forks',
  },
});
