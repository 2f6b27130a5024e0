// list, verify, prune: each is one function below.
import {
  pruneCheckpoints,
  readManifest,
  verifyCheckpoint,
  type CheckpointStore,
  type Verification,
} from '@cria/checkpoint';
import { CriaError, EXIT, signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, wholeNumber } from '../command.js';
import { directoryOf, openStore } from '../checkpoint/open-store.js';
import { readRunConfig } from '../run/run-config-file.js';

export function checkpointsCommand(): Command {
  return describeCommand(
    'checkpoints',
    'The checkpoints of a run.',
    'cria checkpoints verify runs/quickstart',
  )
    .addCommand(listCommand())
    .addCommand(verifyCommand())
    .addCommand(pruneCommand());
}

function runCommand(name: string, summary: string): Command {
  return describeCommand(name, summary, `cria checkpoints ${name} runs/quickstart`).argument(
    '<run-dir>',
    "the run's directory",
  );
}

function storeOf(runDir: string): CheckpointStore {
  return openStore(runDir, readRunConfig(runDir));
}

function listCommand(): Command {
  const command = runCommand('list', 'Lists checkpoints, newest first; reads manifests only.');
  return act<object>(command, async (terminal, _flags, [runDir = '']) => {
    const checkpoints = await listed(storeOf(runDir));
    const lines = checkpoints.map(
      ({ step, sizeBytes, stateSha256, path }) =>
        `step ${step}  ${(sizeBytes / 2 ** 20).toFixed(1)} MiB  state ${stateSha256.slice(0, 16)}  ${path}`,
    );
    terminal.result({ checkpoints }, lines.join('\n') || `no checkpoint in ${runDir} yet`);
  });
}

interface Listed {
  readonly step: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly modelSha256: string;
  readonly stateSha256: string;
  readonly mathHash: string;
  readonly wallMs: number;
}

async function listed(store: CheckpointStore): Promise<Listed[]> {
  const complete = await completeSteps(store);
  return Promise.all(
    complete.map(async (step) => {
      const { files, modelSha256, stateSha256, mathHash, times } = await readManifest(store, step);
      const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
      const path = directoryOf(store, step);
      return { step, path, sizeBytes, modelSha256, stateSha256, mathHash, wallMs: times.committedMs };
    }),
  );
}

async function completeSteps(store: CheckpointStore): Promise<number[]> {
  return (await store.list()).filter(({ complete }) => complete).map(({ step }) => step);
}

function verifyCommand(): Command {
  const command = runCommand(
    'verify',
    'Reads checkpoints whole and compares every hash; exit code 1 when one is bad.',
  ).addOption(new Option('--step <s>', 'this one only').argParser(wholeNumber(0)));
  return act<{ step?: number }>(command, async (terminal, { step }, [runDir = '']) => {
    const signal = signalsToAbort();
    const store = storeOf(runDir);
    const steps = await completeSteps(store);
    if (step !== undefined && !steps.includes(step)) {
      throw new CriaError(
        'CHECKPOINT_MISSING',
        `there is no checkpoint of step ${step} in ${store.location}`,
      );
    }
    const checkpoints = [];
    for (const wanted of step === undefined ? steps : [step]) {
      const progress = terminal.progress(`step ${wanted}`);
      const verification = await verifyCheckpoint(store, wanted, {
        signal,
        onProgress: (done, total) => progress.update(done, total),
      }).finally(() => progress.end());
      checkpoints.push(verdictOf(wanted, verification));
    }
    const ok = checkpoints.every((checkpoint) => checkpoint.ok);
    terminal.result(
      { ok, checkpoints },
      checkpoints.map(({ text }) => text).join('\n') || 'no checkpoint yet',
    );
    return ok ? EXIT.done : EXIT.failed;
  });
}

function verdictOf(step: number, verification: Verification): { step: number; ok: boolean; text: string } {
  if (verification.ok) {
    const { stateSha256, modelSha256, mathHash } = verification.manifest;
    return {
      step,
      ok: true,
      ...{ stateSha256, modelSha256, mathHash },
      text: `step ${step}  ok  state ${stateSha256}`,
    };
  }
  const { file, reason } = verification;
  return { step, ok: false, ...{ file, reason }, text: `step ${step}  BAD  ${reason}` };
}

function pruneCommand(): Command {
  const command = runCommand(
    'prune',
    'Removes old checkpoints; the newest that verifies always stays.',
  ).addOption(new Option('--keep <n>', 'how many stay (default: checkpoint.keep)').argParser(wholeNumber(1)));
  return act<{ keep?: number }>(command, async (terminal, { keep }, [runDir = '']) => {
    const config = readRunConfig(runDir);
    const options = { keep: keep ?? config.checkpoint.keep, signal: signalsToAbort() };
    const pruned = await pruneCheckpoints(openStore(runDir, config), options);
    terminal.result(
      pruned,
      `kept ${pruned.kept.join(', ') || 'none'}; removed ${pruned.removed.join(', ') || 'none'}`,
    );
  });
}
