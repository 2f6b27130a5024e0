import { benchExchange, type BenchExchangeResult } from '@cria/collective';
import { benchControl, type BenchControlResult } from '@cria/coordinator';
import { createLog, systemClock } from '@cria/runtime';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { trainCommand } from '../bench/train.js';
import { act, describeCommand, wholeNumber } from '../command.js';

export function benchCommand(): Command {
  return describeCommand('bench', 'The measurements of docs/benchmarks.', 'cria bench exchange')
    .addCommand(exchangeCommand())
    .addCommand(controlCommand())
    .addCommand(trainCommand());
}

interface ExchangeFlags {
  readonly workers: readonly number[];
  readonly parameters: readonly number[];
  readonly rounds: number;
}

function exchangeCommand(): Command {
  const command = describeCommand(
    'exchange',
    'Sums a gradient over worker processes of this machine, beside plain TCP with the same bytes between the same processes.',
    'cria bench exchange --workers 2,4 --parameters 16M,128M',
  )
    .addOption(
      new Option('--workers <n,...>', 'worker processes').argParser(listOf(2)).default([2, 4], '2,4'),
    )
    .addOption(
      new Option('--parameters <n,...>', 'gradient sizes; M = 2^20')
        .argParser(listOf(1))
        .default([16 * MEBI, 128 * MEBI], '16M,128M'),
    )
    .addOption(
      new Option('--rounds <n>', 'exchanges of which the median counts').argParser(wholeNumber(1)).default(5),
    );
  return act<ExchangeFlags>(command, async (terminal, { workers, parameters, rounds }) => {
    terminal.line(TABLE_HEAD);
    const results: BenchExchangeResult[] = [];
    for (const size of parameters) {
      for (const count of workers) {
        const result = await benchExchange({ workers: count, parameters: size, rounds, clock: systemClock });
        results.push(result);
        terminal.line(tableRow(result));
      }
    }
    terminal.result({ results }, '');
  });
}

interface ControlFlags {
  readonly workers: readonly number[];
  readonly commits: number;
}

function controlCommand(): Command {
  const command = describeCommand(
    'control',
    'How long a commit takes with so many simulated workers (real gRPC and Redis, one coordinator process), beside 1 KB written to as many bare streams.',
    'cria bench control --workers 1,8,64,1000',
  )
    .addOption(
      new Option('--workers <n,...>', 'simulated workers')
        .argParser(listOf(1))
        .default([1, 8, 64, 1000], '1,8,64,1000'),
    )
    .addOption(new Option('--commits <n>', 'commits that count').argParser(wholeNumber(1)).default(100));
  return act<ControlFlags>(command, async (terminal, { workers, commits }) => {
    terminal.line(CONTROL_HEAD);
    const results: BenchControlResult[] = [];
    const log = createLog({ name: 'bench', level: 'error' });
    for (const count of workers) {
      const result = await benchControl({ workers: count, commits, clock: systemClock, log });
      results.push(result);
      terminal.line(controlRow(result));
    }
    terminal.result({ results }, '');
  });
}

const CONTROL_COLUMNS = ['workers', 'p50 ms', 'p95 ms', 'p99 ms', 'bare p50', 'bare p95', 'bare p99'];
const CONTROL_HEAD = CONTROL_COLUMNS.map((name) => name.padStart(9)).join(' ');

function controlRow({ workers, commitMs, bareMs }: BenchControlResult): string {
  const times = [commitMs, bareMs].flatMap(({ p50, p95, p99 }) => [p50, p95, p99]);
  return [String(workers), ...times.map((ms) => ms.toFixed(1))].map((cell) => cell.padStart(9)).join(' ');
}

const MEBI = 2 ** 20;

/** Reads `2,4` or `16M,128M`. */
function listOf(min: number): (text: string) => number[] {
  return (text) =>
    text.split(',').map((part) => {
      const [, digits = '', suffix] = /^(\d+)(M?)$/.exec(part.trim()) ?? [];
      const value = Number(digits) * (suffix === 'M' ? MEBI : 1);
      if (digits !== '' && value >= min) return value;
      throw new InvalidArgumentError(`"${part}" is not a whole number of at least ${min}, such as 4 or 16M.`);
    });
}

const COLUMNS = [
  'workers',
  'parameters',
  'seconds',
  'TCP s',
  'CPU s',
  'TCP CPU s',
  'GB/s',
  'TCP GB/s',
  'f32 GB/s',
  'bits/slot',
  'bits/sum',
];
const TABLE_HEAD = COLUMNS.map((name) => name.padStart(10)).join(' ');

function tableRow(result: BenchExchangeResult): string {
  const { workers, parameters, seconds, tcpSeconds, wireGBps, tcpGBps, algorithmGBps } = result;
  return [
    String(workers),
    `${(parameters / MEBI).toFixed(parameters % MEBI === 0 ? 0 : 2)}M`,
    seconds.toFixed(3),
    tcpSeconds.toFixed(3),
    result.cpuSeconds.toFixed(3),
    result.tcpCpuSeconds.toFixed(3),
    wireGBps.toFixed(2),
    tcpGBps.toFixed(2),
    algorithmGBps.toFixed(2),
    result.bitsPerParameterSlot.toFixed(1),
    result.bitsPerParameterSum.toFixed(1),
  ]
    .map((cell) => cell.padStart(10))
    .join(' ');
}
