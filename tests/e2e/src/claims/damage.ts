import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { lastObject } from '../cria.js';
import { DisturbedRun } from '../disturbed-run.js';
import { kill } from '../processes.js';
import { expectUndisturbed, reference, tiny } from '../reference.js';
import { claim, CLAIM_MS, onStage, type Life, type Stage } from '../stage.js';
import { TINY } from '../tiny-run.js';

/** Steps of the run that is damaged in each test; it has checkpoints of 4 and 8. */
const TRAINED_STEPS = 8;

export function damage(): void {
  let trained: Stage | undefined;

  beforeAll(async () => {
    trained = await onStage(async (stage) => {
      expect(await stage.up(tiny(1, TRAINED_STEPS)).outcome()).toMatchObject({ steps: TRAINED_STEPS });
      expect(await stage.run.checkpoints()).toEqual([8, 4]);
    });
  }, 2 * CLAIM_MS);
  afterAll(() => trained?.clear());

  /** A test on a copy of the trained run. */
  const claimOfCopy = (title: string, act: (stage: Stage) => Promise<void>): void =>
    claim(title, async (stage) => {
      cpSync((trained as Stage).run.path, stage.run.path, { recursive: true });
      await act(stage);
    });

  claimOfCopy(
    'a flipped bit in a checkpoint: the run says so and goes on from the one before',
    async (stage) => {
      const file = flipBit(stage, 8, /^model.*\.safetensors$/);
      const verified = await stage.cria('checkpoints', 'verify', stage.run.path, '--json');
      expect(lastObject(verified)).toMatchObject({
        ok: false,
        checkpoints: [
          { step: 8, ok: false, file },
          { step: 4, ok: true },
        ],
      });
      expect(verified.code).toBe(1);

      const up = resumed(stage);
      await expectUndisturbed(stage, await up.outcome());
      expect(up.stderr()).toContain('checkpoint of step 8 does not verify');
      expect(stage.run.replayed()).toEqual([4, 5, 6, 7]);
      // The bad one has been replaced on the way.
      expect((await stage.cria('checkpoints', 'verify', stage.run.path)).code).toBe(0);
    },
  );

  claim(
    'a bit that flips in a checkpoint while the run goes on: who cannot load it says so',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 1 });
      await run.begun();
      await stage.checkpointed(20);
      const stands = await stage.stoppedAt('computing');
      const [newest = 0] = await stage.run.checkpoints();
      flipBit(stage, newest, /^model.*\.safetensors$/);
      kill(stands, 'SIGKILL');
      await run.whole([stands]);
      await run.compare();
      expect(run.said).toContain(`checkpoint of step ${newest} does not verify`);
    },
  );

  claimOfCopy('a flipped bit in every checkpoint: the run computes everything again', async (stage) => {
    flipBit(stage, 8, /^optimizer.*\.safetensors$/);
    flipBit(stage, 4, /^trainer-state\.json$/);
    const up = resumed(stage);
    await expectUndisturbed(stage, await up.outcome());
    for (const step of [4, 8]) expect(up.stderr()).toContain(`checkpoint of step ${step} does not verify`);
    expect(stage.run.replayed()).toHaveLength(TRAINED_STEPS);
  });

  claimOfCopy('a damaged ledger and an empty Redis: the checkpoint has all of it', async (stage) => {
    const ledger = stage.run.file('ledger.jsonl');
    writeFileSync(ledger, readFileSync(ledger, 'utf8').replace(/"stateDigest":"./, '"stateDigest":"x'));
    rmSync(stage.run.file('redis'), { recursive: true });
    expect((await stage.cria('audit', stage.run.path)).code).toBe(1);
    await expectUndisturbed(stage, await resumed(stage).outcome());
    expect(stage.run.replayed()).toEqual([]);
  });

  for (const keepsRedis of [true, false]) {
    const memory = keepsRedis ? '' : ' even when Redis has forgotten the run';
    claimOfCopy(`another configuration: --resume refuses it${memory}, and nothing is lost`, async (stage) => {
      if (!keepsRedis) rmSync(stage.run.file('redis'), { recursive: true });
      const before = contentsOf(stage);
      const { code, stderr } = await stage.up(['--resume', '--set', 'seed=8']).ended;
      expect(stderr).toContain('RUN_MISMATCH');
      expect(code).toBe(2);
      expect(contentsOf(stage)).toEqual(before);
    });
  }

  claimOfCopy('other data: --resume refuses it, and nothing is lost', async (stage) => {
    const tokens = join(stage.folder, 'tokens');
    const before = contentsOf(stage);
    const another = { text: 'Another corpus altogether. '.repeat(2000) };
    writeFileSync(join(stage.folder, 'another.jsonl'), `${JSON.stringify(another)}\n`.repeat(3));
    expect((await stage.cria('data', 'prepare', 'another.jsonl', '--out', tokens)).code).toBe(0);
    const { code, stderr } = await stage.up(['--resume', '--set', `data.train=[{path: ${tokens}}]`]).ended;
    expect(stderr).toContain('RUN_MISMATCH');
    expect(code).toBe(2);
    expect(contentsOf(stage)).toEqual(before);
  });

  claimOfCopy('a token file cut short: --resume refuses it, and nothing is lost', async (stage) => {
    const tokens = join(stage.folder, 'tokens');
    cpSync(reference().tokens, tokens, { recursive: true });
    truncateSync(join(tokens, 'tokens.bin'), 1000);
    const before = contentsOf(stage);
    const { code, stderr } = await stage.up(['--resume', '--set', `data.train=[{path: ${tokens}}]`]).ended;
    expect(stderr).toContain(join(tokens, 'tokens.bin'));
    expect(code).toBe(1);
    expect(contentsOf(stage)).toEqual(before);
  });
}

function resumed(stage: Stage): Life {
  return stage.up(['--resume', '--workers', '1', '--steps', String(TINY.steps)]);
}

/** What a person would miss: configuration, ledger, names of the checkpoints. */
function contentsOf({ run }: Stage): object {
  return {
    config: readFileSync(run.file('config.yaml'), 'utf8'),
    ledger: readFileSync(run.file('ledger.jsonl'), 'utf8'),
    checkpoints: readdirSync(run.file('checkpoints')).sort(),
  };
}

/** Changes one bit in the middle of a file of a checkpoint; returns the file's name. */
function flipBit(stage: Stage, step: number, pattern: RegExp): string {
  const folder = stage.run.file(`checkpoints/step-${String(step).padStart(8, '0')}`);
  const name = readdirSync(folder).find((candidate) => pattern.test(candidate));
  if (name === undefined) throw new Error(`no ${pattern} in ${folder}`);
  const bytes = readFileSync(join(folder, name));
  const at = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(join(folder, name), bytes);
  return name;
}
