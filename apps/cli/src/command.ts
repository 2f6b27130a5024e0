// What all commands share: how a command line becomes an action, and how an action's end becomes an exit code.
import { CriaError, EXIT, describeError, exitCodeOf } from '@cria/runtime';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { createTerminal, type Terminal } from './terminal.js';

/** Does the work; a number is the exit code, nothing means 0. */
export type Action<Options> = (
  terminal: Terminal,
  options: Options,
  args: readonly string[],
) => Promise<number | void>;

/** Ends the command with an exit code through commander's own promise chain. */
class Ended extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** A command with `--json`, an example in its help, and our exit codes. */
export function describeCommand(name: string, summary: string, example: string): Command {
  return new Command(name)
    .description(summary)
    .option('--json', 'one JSON object on stdout, everything else on stderr')
    .addHelpText('after', `\nExample:\n  $ ${example}`)
    .allowExcessArguments(false)
    .exitOverride();
}

/** Attaches what the command does. Under `--json` an error, too, is one JSON object on stdout. */
export function act<Options extends object>(command: Command, action: Action<Options>): Command {
  return command.action(async (...received: unknown[]) => {
    const self = received.at(-1) as Command;
    // A group (`data`, `checkpoints`) takes --json wherever it stands on the line.
    const options = self.optsWithGlobals<Options & { json?: boolean }>();
    const terminal = createTerminal({ json: options.json === true });
    try {
      throw new Ended((await action(terminal, options, self.args)) ?? EXIT.done);
    } catch (error) {
      if (error instanceof Ended) throw error;
      throw new Ended(report(terminal, error));
    }
  });
}

/** Parses and runs; returns the exit code. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<number> {
  try {
    await program.parseAsync(argv, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof Ended) return error.exitCode;
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    throw error;
  }
}

function report(terminal: Terminal, error: unknown): number {
  process.stderr.write(`cria: ${describeError(error)}\n`);
  if (terminal.json) {
    const { code, message, context } = CriaError.from(error).toRecord();
    terminal.result({ error: { code, message, context } }, '');
  }
  return exitCodeOf(error);
}

/** Reads a whole number of at least `min`, for commander. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < min || text.trim() === '') {
      throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
    }
    return value;
  };
}

/** Reads a number in [min, max], for commander. */
export function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value >= min && value <= max) || text.trim() === '') {
      throw new InvalidArgumentError(`It must be a number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** An option that an environment variable may also set; the flag wins. */
export function optionWithEnv(flags: string, description: string, variable: string): Option {
  return new Option(flags, description).env(variable);
}
