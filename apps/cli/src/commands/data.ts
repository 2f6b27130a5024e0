// Three commands about token files; each is one function below.
import { inspectTokens, openDataset, type TokenDirectoryFacts, type TokenManifest } from '@cria/data';
import { CriaError, signalsToAbort } from '@cria/runtime';
import { Option, type Command } from 'commander';
import { act, describeCommand, wholeNumber } from '../command.js';
import { FACTBOOK, prepareTokens } from '../data/prepare-tokens.js';
import { readRunConfig } from '../run/run-config-file.js';
import { ending } from '../ending.js';

export function dataCommand(): Command {
  return describeCommand('data', 'Token files of a run.', 'cria data prepare book.txt --out data/book')
    .addCommand(prepareCommand())
    .addCommand(inspectCommand())
    .addCommand(atCommand());
}

function prepareCommand(): Command {
  const command = describeCommand(
    'prepare',
    'Text to token files with the GPT-2 tokenizer; every document ends with end-of-text.',
    'cria data prepare corpus.jsonl.gz more/*.txt --out data/corpus',
  )
    .argument('<input...>', `files (.txt, .jsonl, also .gz), directories of them, or "${FACTBOOK}"`)
    .requiredOption('--out <dir>', 'the token directory to make')
    .option('--field <name>', 'field of a JSON line that holds the text', 'text');
  return act<{ out: string; field: string }>(command, async (terminal, { out, field }, inputs) => {
    const signal = signalsToAbort();
    const manifest = await ending(signal, () =>
      prepareTokens(terminal, { inputs, outDir: out, field, signal }),
    );
    if (manifest === null) return Number(signal.reason);
    terminal.result({ directory: out, ...manifest }, describeManifest(out, manifest));
    return undefined;
  });
}

function describeManifest(directory: string, { tokens, documents }: TokenManifest): string {
  return `${directory}: ${tokens.toLocaleString('en-US')} tokens of ${documents.toLocaleString('en-US')} documents`;
}

function inspectCommand(): Command {
  const command = describeCommand(
    'inspect',
    'What a token directory holds.',
    'cria data inspect data/factbook',
  ).argument('<dir>', 'token directory');
  return act<object>(command, async (terminal, _flags, [directory = '']) => {
    const facts = await inspectTokens(directory);
    terminal.result(facts, describeFacts(facts));
  });
}

function describeFacts({
  directory,
  tokens,
  documents,
  tokensPerDocument,
  sha256,
  sample,
}: TokenDirectoryFacts): string {
  return [
    `${directory}: ${tokens.toLocaleString('en-US')} tokens of ${documents.toLocaleString('en-US')} documents`,
    `${tokensPerDocument.toFixed(1)} tokens a document, sha256 ${sha256}`,
    `begins: ${sample.slice(0, 300)}`,
  ].join('\n');
}

interface SequenceAt {
  readonly sequence: number;
  readonly path: string;
  readonly pass: number;
  readonly startToken: number;
  readonly endToken: number;
  readonly document: number;
  readonly lastDocument: number;
  readonly text: string;
}

function atCommand(): Command {
  const command = describeCommand(
    'at',
    'Which text a step of a run was trained on.',
    'cria data at runs/quickstart --step 12',
  )
    .argument('<run-dir>', "the run's directory")
    .addOption(new Option('--step <s>', 'the step, from 0').argParser(wholeNumber(0)).makeOptionMandatory());
  return act<{ step: number }>(command, async (terminal, { step }, [runDir = '']) => {
    const sequences = await sequencesOf(runDir, step);
    terminal.result({ step, sequences }, sequences.map(describeSequence).join('\n\n'));
  });
}

async function sequencesOf(runDir: string, step: number): Promise<SequenceAt[]> {
  const { data, seed, budget } = readRunConfig(runDir);
  if (step >= budget.steps) {
    throw new CriaError('USAGE', `--step ${step}: the run has the steps 0 to ${budget.steps - 1}`);
  }
  const dataset = await openDataset({
    sources: data.train,
    order: data.order,
    seed,
    sequenceLength: budget.sequenceLength,
    validationFraction: data.validation.fraction,
  });
  try {
    const first = step * budget.globalBatch;
    const indices = Array.from({ length: budget.globalBatch }, (_, i) => first + i);
    return await Promise.all(
      indices.map(async (sequence) => {
        const place = await dataset.locate(sequence);
        return { sequence, ...place, text: await dataset.text(sequence) };
      }),
    );
  } finally {
    await dataset.close();
  }
}

function describeSequence({
  sequence,
  path,
  pass,
  startToken,
  endToken,
  document,
  text,
}: SequenceAt): string {
  return `sequence ${sequence}: ${path}, document ${document}, tokens ${startToken} to ${endToken}, pass ${pass}\n${text}`;
}
