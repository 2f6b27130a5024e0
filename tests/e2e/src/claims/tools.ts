import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { lastObject } from '../cria.js';
import { DisturbedRun } from '../disturbed-run.js';
import { tiny } from '../reference.js';
import { claim } from '../stage.js';

export function tools(): void {
  claim(
    'samples are written from checkpoints, the last ones too, and `cria samples` writes those that lack',
    async (stage) => {
      const prompts = ['samples.prompts=["The llama"]', 'samples.everySteps=4', 'samples.maxTokens=3'];
      const up = stage.up([...tiny(1), ...prompts.flatMap((prompt) => ['--set', prompt])]);
      const { steps } = await up.outcome();
      const written = stage.run.samples();
      expect(written.filter(({ step }) => step === steps).map(({ promptText }) => promptText)).toEqual([
        'The llama',
      ]);
      rmSync(stage.run.file('samples.jsonl'));
      const again = await stage.cria('samples', stage.run.path, '--json');
      expect(again.code, again.stderr).toBe(0);
      expect(lastObject(again)).toEqual({ steps: (await stage.run.checkpoints()).reverse() });
      const ofLast = (samples: typeof written): string[] =>
        samples.filter(({ step }) => step === steps).map(({ text }) => text);
      expect(ofLast(stage.run.samples())).toEqual(ofLast(written));
      const nothing = await stage.cria('samples', stage.run.path, '--follow', '--json');
      expect(lastObject(nothing)).toEqual({ steps: [] });
    },
  );

  claim(
    '`cria chaos` hits a run at random and says what it cost; `cria replay` computes a step again',
    async (stage) => {
      const run = new DisturbedRun(stage, { workers: 2 });
      await run.begun();
      const flags = [
        '--every',
        '2s',
        '--for',
        '8s',
        '--targets',
        'workers,leader,redis',
        '--seed',
        '4',
        '--json',
      ];
      const chaos = await stage.cria('chaos', stage.run.path, ...flags);
      expect(chaos.code, chaos.stderr).toBe(0);
      const cost = lastObject<{ blows: number; steps: number; nextCommitSeconds: object | null }>(chaos);
      expect(cost.blows).toBeGreaterThan(0);
      expect(chaos.stderr.match(/ killed /g)).toHaveLength(cost.blows);
      await run.whole();
      const steps = await run.compare();

      const path = stage.disturbed.path;
      const same = await stage.cria('replay', path, '--step', String(steps - 2), '--json');
      expect(lastObject(same)).toMatchObject({ ok: true, step: steps - 2, difference: null });
      expect(same.code).toBe(0);

      const lines = readFileSync(stage.disturbed.file('ledger.jsonl'), 'utf8').split('\n');
      const changed = lines.map((line, step) =>
        step === steps - 2
          ? line.replace(/("gradDigest":")(.)/, (_, key, digit) => key + (digit === '0' ? 1 : 0))
          : line,
      );
      writeFileSync(stage.disturbed.file('ledger.jsonl'), changed.join('\n'));
      // The changed step itself: a later one may begin at a checkpoint behind it.
      const other = await stage.cria('replay', path, '--step', String(steps - 2), '--json');
      const difference = { step: steps - 2, field: 'gradDigest' };
      expect(lastObject(other)).toMatchObject({ ok: false, step: steps - 2, difference });
      expect(other.code).toBe(1);
    },
  );
}
