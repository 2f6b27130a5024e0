import { benchExchange, type BenchExchangeResult } from '@cria/collective';
import { systemClock } from '@cria/runtime';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { act, describeCommand, wholeNumber } from '../command.js';

export function benchCommand(): Command {
  return describeCommand('bench', 'The measurements of docs/benchmarks.', 'cria bench exchange').addCommand(
    exchangeCommand(),
  );
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
    wireGBps.toFixed(2),
    tcpGBps.toFixed(2),
    algorithmGBps.toFixed(2),
    result.bitsPerParameterSlot.toFixed(1),
    result.bitsPerParameterSum.toFixed(1),
  ]
    .map((cell) => cell.padStart(10))
    .join(' ');
}
