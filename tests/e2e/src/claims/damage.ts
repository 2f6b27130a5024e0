import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { lastObject } from '../cria.js';
import { expectUndisturbed, reference, tiny } from '../reference.js';
import { claim, type Stage } from '../stage.js';
import { TINY } from '../tiny-run.js';

export function damage(): void {
  claim(
    'a flipped bit in a checkpoint: `--resume` says so and goes on from the one before',
    async (stage) => {
      await stage.up(tiny(2, 8)).outcome();
      expect(await stage.run.checkpoints()).toEqual([8, 4]);
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

      const up = stage.up(['--resume', '--workers', '1', '--steps', String(TINY.steps)]);
      await expectUndisturbed(stage, await up.outcome());
      expect(up.stderr()).toContain(`checkpoint of step 8 does not verify`);
      expect(stage.run.events('step-replayed').map(({ step }) => step)).toEqual([4, 5, 6, 7]);
    },
  );

  claim('a flipped bit in every checkpoint: `--resume` computes everything again', async (stage) => {
    await stage.up(tiny(1, 4)).outcome();
    expect(await stage.run.checkpoints()).toEqual([4]);
    flipBit(stage, 4, /^optimizer.*\.safetensors$/);
    const up = stage.up(['--resume', '--workers', '2', '--steps', '8']);
    await expectUndisturbed(stage, await up.outcome(), 8);
    expect(up.stderr()).toContain(`checkpoint of step 4 does not verify`);
  });

  claim('a changed ledger: `--resume` mends it from the newest checkpoint', async (stage) => {
    await stage.up(tiny(1, 4)).outcome();
    const ledger = stage.run.file('ledger.jsonl');
    writeFileSync(ledger, readFileSync(ledger, 'utf8').replace(/"stateDigest":"./, '"stateDigest":"x'));
    expect((await stage.cria('audit', stage.run.path)).code).toBe(1);
    const up = stage.up(['--resume', '--workers', '1', '--steps', '8']);
    await expectUndisturbed(stage, await up.outcome(), 8);
  });

  claim('other data under the same path: `--resume` is refused with both fingerprints', async (stage) => {
    const { tokens } = reference();
    cpSync(tokens, join(stage.folder, 'tokens'), { recursive: true });
    await stage
      .up([...tiny(1, 4), '--set', `data.train=[{path: ${join(stage.folder, 'tokens')}}]`])
      .outcome();
    const up = stage.up(['--resume', '--set', 'seed=8']);
    const { code, stderr } = await up.ended;
    expect(stderr).toContain('RUN_MISMATCH');
    expect(code).toBe(2);
  });
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
