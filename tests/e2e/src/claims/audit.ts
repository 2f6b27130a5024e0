import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { lastObject, type CriaEnd } from '../cria.js';
import { reference } from '../reference.js';
import { claim, type Stage } from '../stage.js';
import { TINY, TOKENS_PER_STEP } from '../tiny-run.js';

export function audits(): void {
  claim('`cria audit` counts every token of the budget exactly once', async (stage) => {
    const audited = await audit(stage, (lines) => lines);
    expect(lastObject(audited)).toMatchObject({
      ...{ ok: true, steps: TINY.budgetSteps, tokens: TINY.budgetSteps * TOKENS_PER_STEP },
      ...{ gaps: 0, overlaps: 0, firstBadStep: null },
    });
    expect(audited.code).toBe(0);
  });

  const damages: ReadonlyArray<[what: string, firstBadStep: number, change: (lines: string[]) => string[]]> =
    [
      ['a digit of a hashed field', 5, (lines) => changed(lines, 5, /("lossBits":".*?)(.)(",)/)],
      ['a digit that only people read', 3, (lines) => changed(lines, 3, /("loss":\d+\.\d*?)(\d)(,)/)],
      ["a slot in a worker's share", 7, (lines) => changed(lines, 7, /("slots":\[)(\d)(,)/)],
      ['a digit of a chain', 79, (lines) => changed(lines, 79, /("mathHash":")(.)(.)/)],
      ['a step left out', 9, (lines) => lines.filter((_, step) => step !== 9)],
      [
        'a step told twice',
        11,
        (lines) => lines.flatMap((line, step) => (step === 10 ? [line, line] : [line])),
      ],
    ];
  for (const [what, firstBadStep, change] of damages) {
    claim(`\`cria audit\` finds ${what}`, async (stage) => {
      const audited = await audit(stage, change);
      expect(lastObject(audited)).toMatchObject({ ok: false, steps: firstBadStep, firstBadStep });
      expect(audited.code).toBe(1);
    });
  }
}

/** Audits a copy of the reference whose ledger has been changed. */
async function audit(stage: Stage, change: (lines: string[]) => string[]): Promise<CriaEnd> {
  const original = reference().stage.run;
  mkdirSync(stage.run.path);
  for (const name of ['config.yaml', 'run.json']) cpSync(original.file(name), stage.run.file(name));
  symlinkSync(original.file('checkpoints'), stage.run.file('checkpoints'));
  const lines = readFileSync(original.file('ledger.jsonl'), 'utf8').trimEnd().split('\n');
  writeFileSync(join(stage.run.path, 'ledger.jsonl'), `${change(lines).join('\n')}\n`);
  return stage.cria('audit', stage.run.path, '--json');
}

/** One character of one line, the second group of `pattern`, replaced by another digit. */
function changed(lines: readonly string[], step: number, pattern: RegExp): string[] {
  return lines.map((line, i) => {
    if (i !== step) return line;
    const other = line.replace(pattern, (_, before: string, digit: string, after: string) => {
      return `${before}${digit === '1' ? '2' : '1'}${after}`;
    });
    if (other === line) throw new Error(`${pattern} is not in the ledger's line ${line}`);
    return other;
  });
}
