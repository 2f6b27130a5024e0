// The promise with real processes and a real Redis: whatever happens to them, the final checkpoint is the one that a
// single undisturbed worker writes, to the last bit. One file, so that two clusters never share the machine's cores.
import { afterAll, beforeAll, describe } from 'vitest';
import { audits } from './claims/audit.js';
import { bits } from './claims/bits.js';
import { cluster } from './claims/cluster.js';
import { damage } from './claims/damage.js';
import { killMatrix } from './claims/kill-matrix.js';
import { kills } from './claims/kills.js';
import { numbersOfWorkers, portableEngine } from './claims/numbers-of-workers.js';
import { redisIsNotTheTruth } from './claims/redis.js';
import { resumes } from './claims/resumes.js';
import { watched } from './claims/watched.js';
import { tools } from './claims/tools.js';
import { clearReference, makeReference } from './reference.js';
import { CLAIM_MS } from './stage.js';

// processes.ts finds processes in /proc.
describe.runIf(process.platform === 'linux')('one result', () => {
  beforeAll(makeReference, 2 * CLAIM_MS);
  afterAll(clearReference);

  describe('for any number of workers', numbersOfWorkers);
  describe('with the portable engine', portableEngine);
  describe('whoever is killed', kills);
  describe('wherever they stand when they are killed', killMatrix);
  describe('whoever leads', cluster);
  describe('whatever Redis says', redisIsNotTheTruth);
  describe('whatever bit is flipped', bits);
  describe('as people see it', tools);
  describe('of a run that was interrupted', resumes);
  describe('that a ledger proves', audits);
  describe('or a clear message, when something is damaged', damage);
  describe('and a page that tells the truth', watched);
});
