// A cluster by hand whose processes stand still and whose networks break: npm run test:matrix.
import { afterAll, beforeAll, describe } from 'vitest';
import { sleepers } from '../claims/sleepers.js';
import { clearReference, makeReference } from '../reference.js';
import { CLAIM_MS } from '../stage.js';

describe.runIf(process.platform === 'linux')('whoever sleeps', () => {
  beforeAll(makeReference, 2 * CLAIM_MS);
  afterAll(clearReference);

  sleepers();
});
