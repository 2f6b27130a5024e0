// The undisturbed run of one worker, over the whole budget, with every checkpoint kept: what all other runs are held
// against, at whatever step they end. Trained once, before the first test. It ends and goes on at the steps that tests
// need: a checkpoint that is due while the one before is still being written is left out, the one at an end never.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { lastObject } from './cria.js';
import { onStage, type Outcome, type Stage } from './stage.js';
import { prepareTokens, tinyConfig, TINY, TOKENS_PER_STEP } from './tiny-run.js';

/** What has to be equal whoever computed it. */
export interface Hashes {
  readonly mathHash: string;
  readonly modelSha256: string;
  readonly stateSha256: string;
}

export interface Reference {
  readonly stage: Stage;
  /** Path of the configuration that every test uses. */
  readonly config: string;
  /** Token directory of that configuration. */
  readonly tokens: string;
  at(step: number): Promise<Hashes>;
}

let made: Reference | null = null;

export function reference(): Reference {
  if (made === null) throw new Error('the reference has not been made yet');
  return made;
}

export async function makeReference(): Promise<void> {
  let tokens = '';
  let config = '';
  const stage = await onStage(async (stage) => {
    tokens = await prepareTokens(join(stage.folder, 'data'));
    config = join(stage.folder, 'tiny.yaml');
    writeFileSync(config, tinyConfig(tokens));
    const whole = ['--config', config, '--set', 'checkpoint.keep=100'];
    await stage.up([...whole, '--steps', String(TINY.steps)]).outcome();
    const outcome = await stage.up(['--resume', '--steps', String(TINY.budgetSteps)]).outcome();
    expect(outcome).toMatchObject({ steps: TINY.budgetSteps, ...(await hashesAt(stage, TINY.budgetSteps)) });
  });
  made = { stage, config, tokens, at: (step) => hashesAt(stage, step) };
}

export function clearReference(): void {
  made?.stage.clear();
  made = null;
}

/** Flags of a new run of the reference's configuration. */
export function tiny(workers: number, steps: number = TINY.steps): string[] {
  return ['--config', reference().config, '--workers', String(workers), '--steps', String(steps)];
}

/** The run ended at `steps` as the reference was there, and its ledger proves that nothing was left out or done twice. */
export async function expectUndisturbed(
  stage: Stage,
  outcome: Outcome,
  steps: number = TINY.steps,
): Promise<void> {
  expect(outcome).toMatchObject({ steps, tokens: steps * TOKENS_PER_STEP, ...(await reference().at(steps)) });
  expect(existsSync(outcome.checkpoint)).toBe(true);
  const audited = await stage.cria('audit', stage.run.path, '--json');
  expect(lastObject(audited)).toMatchObject({
    ...{ ok: true, steps, tokens: steps * TOKENS_PER_STEP, skippedTokens: 0, gaps: 0, overlaps: 0 },
    ...{ mathHash: outcome.mathHash, firstBadStep: null },
  });
  expect(audited.code).toBe(0);
}

async function hashesAt(stage: Stage, step: number): Promise<Hashes> {
  const { mathHash, modelSha256, stateSha256 } = await stage.run.manifest(step);
  return { mathHash, modelSha256, stateSha256 };
}
