import { join } from 'node:path';
import { readManifest, type Manifest } from '@cria/checkpoint';
import { audit, readLedger, type AuditReport } from '@cria/ledger';
import { CriaError, EXIT } from '@cria/runtime';
import type { Command } from 'commander';
import { openStore } from '../checkpoint/open-store.js';
import { act, describeCommand } from '../command.js';
import { readRunConfig } from '../run/run-config-file.js';
import { readRunFile } from '../run/run-file.js';

const LEDGER_FILE = 'ledger.jsonl';

export function auditCommand(): Command {
  const command = describeCommand(
    'audit',
    'Recomputes coverage and both chains of the ledger and compares its heads with the checkpoints; exit code 1 when something is wrong.',
    'cria audit runs/quickstart',
  ).argument('<run-dir>', "the run's directory");
  return act<object>(command, async (terminal, _flags, [runDir = '']) => {
    const report = await auditRun(runDir);
    terminal.result(report, describeReport(report));
    return report.ok ? EXIT.done : EXIT.failed;
  });
}

async function auditRun(runDir: string): Promise<AuditReport> {
  const config = readRunConfig(runDir);
  const { manifests, problems } = await readManifests(runDir);
  const { runId, genesis } = identityOf(runDir, manifests);
  const report = await audit({
    entries: readLedger(join(runDir, LEDGER_FILE)),
    ...{ runId, genesis, manifests, slots: config.slots, rules: config.anomalies },
    sequenceLength: config.budget.sequenceLength,
    globalBatch: config.budget.globalBatch,
  });
  return { ...report, ok: report.ok && problems.length === 0, problems: [...report.problems, ...problems] };
}

/** A manifest that cannot be read is part of the report, like anything else that is wrong. */
async function readManifests(runDir: string): Promise<{ manifests: Manifest[]; problems: string[] }> {
  const store = openStore(runDir, readRunConfig(runDir));
  const manifests: Manifest[] = [];
  const problems: string[] = [];
  for (const { step } of (await store.list()).filter(({ complete }) => complete)) {
    try {
      manifests.push(await readManifest(store, step));
    } catch (error) {
      if (!CriaError.is(error) || !error.code.startsWith('CHECKPOINT_')) throw error;
      problems.push(`the checkpoint of step ${step}: ${error.message}`);
    }
  }
  return { manifests, problems };
}

/** run.json has it; where that is lost, any manifest. */
function identityOf(runDir: string, manifests: readonly Manifest[]): { runId: string; genesis: string } {
  const identity = readRunFile(runDir) ?? manifests[0];
  if (identity !== undefined) return identity;
  throw new CriaError(
    'RUN_NOT_FOUND',
    `${runDir} holds neither run.json nor a checkpoint: nothing says which run it is`,
  );
}

function describeReport(report: AuditReport): string {
  const { ok, steps, tokens, skippedTokens, gaps, overlaps, mathHash, opsHash, firstBadStep, problems } =
    report;
  const count = (value: number): string => value.toLocaleString('en-US');
  return [
    ok ? 'ok: every token of every committed step was trained on exactly once' : 'NOT ok',
    `${count(steps)} steps, ${count(tokens)} tokens (${count(skippedTokens)} skipped), ${gaps} gaps, ${overlaps} overlaps`,
    `mathHash ${mathHash}`,
    `opsHash  ${opsHash}`,
    ...(firstBadStep === null ? [] : [`first bad step: ${firstBadStep}`]),
    ...problems,
  ].join('\n');
}
