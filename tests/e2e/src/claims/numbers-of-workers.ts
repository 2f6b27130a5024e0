import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ByHand } from '../by-hand.js';
import { DisturbedRun } from '../disturbed-run.js';
import { kill } from '../processes.js';
import { expectUndisturbed, reference, tiny } from '../reference.js';
import { claim, type Outcome } from '../stage.js';
import { CALM, LONG_LEASE } from '../tiny-run.js';

export function numbersOfWorkers(): void {
  for (const workers of [1, 2, 3]) {
    claim(`${workers} of them give the same model, optimizer state and ledger`, async (stage) => {
      const outcome = await stage.up(tiny(workers)).outcome();
      await expectUndisturbed(stage, outcome);
      const ours = stage.run.ledger();
      const [first] = ours;
      // The first slots are granted when all workers are there.
      expect(first?.members).toHaveLength(workers);
      const losses = reference().stage.run.metrics().slice(0, ours.length);
      expect(stage.run.metrics().map(mathematicalPart)).toEqual(losses.map(mathematicalPart));
    });
  }

  claim(
    '`cria scale` from 1 to 3 to 2 during the run changes nothing, and no exchange waits',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 1, flags: [...CALM, ...LONG_LEASE] });
      await run.begun();
      for (const target of [3, 2]) {
        await run.scale(target);
        const from = stage.run.steps();
        await stage.until(`${target} workers share a step`, () =>
          stage.run.ledger().find(({ step, members }) => step >= from && members.length === target),
        );
      }
      await run.compare();
      expect(stage.disturbed.events('scaled').map(({ text }) => text)).toEqual([
        'target 1 -> 3 workers',
        'target 3 -> 2 workers',
      ]);
      for (const kind of ['worker-lost', 'exchange-repeated', 'step-replayed']) {
        expect(stage.disturbed.events(kind)).toEqual([]);
      }
    },
  );
}

/** `engine.kind: auto` is the native engine wherever it is built, so the portable one has a test of its own. */
export function portableEngine(): void {
  claim('TensorFlow.js gives one result, too, with one worker and with two', async (stage) => {
    const flags = ['--engine', 'tfjs', '--set', 'run=portable'];
    const alone = await stage.up([...tiny(1, 6), ...flags]).outcome();
    rmSync(stage.run.path, { recursive: true });
    const together = await stage.up([...tiny(2, 6), ...flags]).outcome();
    expect(hashesOf(together)).toEqual(hashesOf(alone));
  });

  claim('a worker without TensorFlow is refused by a run on it, and told what to do', async (stage) => {
    const cluster = await ByHand.start(stage);
    const settings = ['kind=tfjs', 'precision=f32', 'backend=tensorflow', 'threads=2'];
    const engine = settings.flatMap((value) => ['--set', `engine.${value}`]);
    const coordinator = cluster.coordinator([...engine, '--engine-fingerprint', ON_TENSORFLOW]);
    const worker = cluster.worker({ XDG_CACHE_HOME: join(stage.folder, 'nothing-set-up') });
    const { code, stderr } = await worker.ended;
    kill(coordinator.pid, 'SIGTERM');
    await coordinator.ended;
    await cluster.stop();
    expect(stderr).toContain('needs @tensorflow/tfjs-node');
    expect(stderr).toContain('cria setup --tensorflow cpu');
    expect(code).toBe(2);
  });
}

/** What `cria worker --probe` prints where TensorFlow is set up. */
const ON_TENSORFLOW =
  'tfjs/3 f32 cpu backend=tensorflow onednn=1 selftest=000000000000 tensorflow=2.21.0 tfjs-core=4.22.0 ' +
  'tfjs-node=4.22.0 threads=2';

function hashesOf({ mathHash, modelSha256, stateSha256 }: Outcome): object {
  return { mathHash, modelSha256, stateSha256 };
}

function mathematicalPart(line: object): object {
  const { step, tokens, loss, valLoss, gradNorm, lr, verdict } = line as Record<string, unknown>;
  return { step, tokens, loss, valLoss, gradNorm, lr, verdict };
}
