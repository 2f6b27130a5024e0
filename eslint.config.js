import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

// One row per project and no `*` row: a project without a row fails the lint.
const MAY_IMPORT = {
  runtime: [],
  protocol: ['runtime'],
  kernels: ['runtime'],
  metrics: ['runtime'],
  queue: ['runtime'],
  ledger: ['runtime', 'protocol'],
  data: ['runtime'],
  model: ['runtime', 'kernels'],
  collective: ['runtime', 'protocol', 'kernels'],
  checkpoint: ['runtime', 'protocol', 'ledger'],
  coordinator: [
    'runtime',
    'protocol',
    'ledger',
    'model',
    'data',
    'collective',
    'checkpoint',
    'metrics',
    'queue',
  ],
  worker: ['runtime', 'protocol', 'ledger', 'kernels', 'model', 'collective', 'queue'],
  dashboard: [],
  cli: [
    ...['runtime', 'protocol', 'ledger', 'kernels', 'model', 'data', 'collective'],
    ...['checkpoint', 'metrics', 'queue', 'coordinator', 'worker'],
  ],
  simulation: ['runtime', 'protocol', 'ledger', 'coordinator', 'worker'],
  e2e: ['runtime', 'protocol', 'ledger', 'data', 'queue', 'checkpoint'],
};

const depConstraints = Object.entries(MAY_IMPORT).map(([project, imports]) => ({
  sourceTag: project,
  onlyDependOnLibsWithTags: imports,
}));

const ambient = (what) => `${what} is ambient: take a Clock or an Rng (libs/runtime)`;

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/node_modules/**',
      '**/generated/**',
      '.nx/**',
      'runs/**',
      'data/**',
      'apps/dashboard/static/**',
    ],
  },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['vitest.config.ts', 'vitest.*.config.ts'] },
      },
    },
    plugins: { '@nx': nx },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: ambient('Date.now') },
        { object: 'Math', property: 'random', message: ambient('Math.random') },
        { object: 'performance', property: 'now', message: ambient('performance.now') },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: ambient('setTimeout') },
        { name: 'setInterval', message: ambient('setInterval') },
      ],
      'max-lines': ['error', 500],
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
    },
  },
  {
    files: ['**/*.ts', '**/*.js', '**/*.mjs'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { enforceBuildableLibDependency: true, allow: [], depConstraints },
      ],
    },
  },
  {
    // The whole-cluster simulator drives the applications' decide/ code; tests start them as processes.
    files: ['tests/simulation/**/*.ts', 'apps/cli/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { enforceBuildableLibDependency: true, allow: ['@cria/coordinator', '@cria/worker'], depConstraints },
      ],
    },
  },
  {
    // Decisions are pure: types and other decide/ files only.
    files: ['apps/*/src/decide/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['node:*', '@grpc/*', 'ioredis', 'bullmq'] }] },
  },
  {
    files: ['**/*.test.ts', 'tests/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      'no-restricted-globals': 'off',
      'no-restricted-properties': 'off',
    },
  },
  {
    files: ['libs/runtime/src/node/**/*.ts'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' },
  },
);
