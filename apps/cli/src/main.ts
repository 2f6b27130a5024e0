// The compiled command line: one table of commands, each loaded only when it is asked for.
import { EXIT, exitOnUnhandled } from '@cria/runtime';
import { Command } from 'commander';
import { runProgram } from './command.js';

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Absent: the launcher runs it (it works before anything is built). */
  readonly load?: () => Promise<Command>;
  readonly hidden?: true;
}

const COMMANDS: readonly Entry[] = [
  {
    name: 'quickstart',
    summary: 'set up, train a small Llama on real text, show a sample (what `npm start` runs)',
    load: async () => (await import('./commands/quickstart.js')).quickstartCommand(),
  },
  {
    name: 'up',
    summary: 'train on this machine: Redis, coordinators, workers, dashboard',
    load: async () => (await import('./commands/up.js')).upCommand(),
  },
  {
    name: 'coordinator',
    summary: 'one member of the coordinator cluster',
    load: async () => (await import('./commands/coordinator.js')).coordinatorCommand(),
  },
  {
    name: 'worker',
    summary: 'wait for a seat, train, wait again',
    load: async () => (await import('./commands/worker.js')).workerCommand(),
  },
  {
    name: 'status',
    summary: 'what a run is doing',
    load: async () => (await import('./commands/status.js')).statusCommand(),
  },
  {
    name: 'watch',
    summary: 'a live view of a run in the terminal',
    load: async () => (await import('./commands/watch.js')).watchCommand(),
  },
  {
    name: 'runs',
    summary: 'the runs on this disk',
    load: async () => (await import('./commands/runs.js')).runsCommand(),
  },
  {
    name: 'dashboard',
    summary: 'the pages for runs on disk, with no training under way',
    load: async () => (await import('./commands/dashboard.js')).dashboardCommand(),
  },
  {
    name: 'scale',
    summary: 'change the number of workers of a run',
    load: async () => (await import('./commands/scale.js')).scaleCommand(),
  },
  {
    name: 'pause',
    summary: 'pause a run at the next step',
    load: async () => (await import('./commands/pause.js')).pauseCommand(),
  },
  {
    name: 'resume',
    summary: 'end a pause',
    load: async () => (await import('./commands/resume.js')).resumeCommand(),
  },
  {
    name: 'stop',
    summary: 'stop a run after a checkpoint; `up --resume` goes on',
    load: async () => (await import('./commands/stop.js')).stopCommand(),
  },
  {
    name: 'data',
    summary: 'text to token files; what they hold; which text a step saw',
    load: async () => (await import('./commands/data.js')).dataCommand(),
  },
  {
    name: 'checkpoints',
    summary: 'list, verify or prune the checkpoints of a run',
    load: async () => (await import('./commands/checkpoints.js')).checkpointsCommand(),
  },
  {
    name: 'audit',
    summary: 'prove from the ledger that every token was trained on exactly once',
    load: async () => (await import('./commands/audit.js')).auditCommand(),
  },
  {
    name: 'replay',
    summary: 'compute a step again and compare every digest with the ledger',
    load: async () => (await import('./commands/replay.js')).replayCommand(),
  },
  {
    name: 'chaos',
    summary: 'kill or pause processes of a run at random, and say what it cost',
    load: async () => (await import('./commands/chaos.js')).chaosCommand(),
  },
  {
    name: 'generate',
    summary: 'continue a text with a checkpoint',
    load: async () => (await import('./commands/generate.js')).generateCommand(),
  },
  {
    name: 'samples',
    summary: "continue a run's prompts with its checkpoints, for the dashboard",
    load: async () => (await import('./commands/samples.js')).samplesCommand(),
  },
  {
    name: 'plan',
    summary: 'days, cost, memory and traffic of a run before it starts',
    load: async () => (await import('./commands/plan.js')).planCommand(),
  },
  {
    name: 'bench',
    summary: 'measure the exchange of gradients',
    load: async () => (await import('./commands/bench.js')).benchCommand(),
  },
  { name: 'setup', summary: 'build, and install what this machine lacks' },
  { name: 'doctor', summary: 'what this machine has and lacks' },
];

/** Runs a command line (without `node` and the script); resolves to the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  exitOnUnhandled();
  // Whoever read our output has gone (`cria data inspect DIR | head -1`): nothing is left to say.
  process.stdout.on('error', () => process.exit(EXIT.failed));
  // `cria help up` asks for `up` too.
  const asked = argv[0] === 'help' ? argv[1] : argv[0];
  return runProgram(await buildProgram(asked), argv);
}

async function buildProgram(asked: string | undefined): Promise<Command> {
  const program = new Command('cria')
    .description('Trains small Llamas on machines that come and go.')
    .version('0.1.0')
    .exitOverride()
    .showHelpAfterError('(see `cria --help`)')
    .addHelpText('after', '\nExample:\n  $ cria up --config configs/quickstart.yaml --workers 3');
  for (const { name, summary, load } of COMMANDS) {
    if (name === asked && load !== undefined) program.addCommand(await load());
    else program.command(name).description(summary).helpOption(false).allowUnknownOption();
  }
  return program;
}
