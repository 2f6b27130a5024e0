import { defineConfig } from 'vitest/config';

// Long runs with real processes, too long for every `npm test`: npm run test:matrix.
export default defineConfig({
  test: { include: ['tests/e2e/src/**/*.matrix.ts'], pool: 'forks', fileParallelism: false },
});
