// `cria watch` on a real pseudo-terminal, against the coordinator's real HTTP side with a made-up run behind it.
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { CRIA_SCRIPT } from '../places.js';
import { noPseudoTerminal, PseudoTerminal } from '../testing/pseudo-terminal.js';
import { runCria } from '../testing/run-cria.js';

const SERVER = fileURLToPath(
  new URL('../../../coordinator/dist/http/fixture/serve-synthetic-run.js', import.meta.url),
);
const missing = noPseudoTerminal();

let servers: ChildProcess[] = [];
let terminals: PseudoTerminal[] = [];

afterEach(() => {
  servers.forEach((server) => server.kill('SIGKILL'));
  terminals.forEach((terminal) => terminal.close());
  [servers, terminals] = [[], []];
});

interface Served {
  readonly address: string;
  readonly process: ChildProcess;
}

async function serve(port = 0, ...more: string[]): Promise<Served> {
  const server = spawn(process.execPath, [SERVER, String(port), '100000', '4', ...more], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  servers.push(server);
  const said = await new Promise<string>((resolve) =>
    server.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString())),
  );
  return { address: new URL(said.trim()).host, process: server };
}

function watch(
  address: string,
  size = { columns: 80, rows: 24 },
  env: NodeJS.ProcessEnv = {},
): PseudoTerminal {
  const flags = ['--coordinators', address, '--token', 'synthetic-token'];
  const terminal = new PseudoTerminal([process.execPath, CRIA_SCRIPT, 'watch', ...flags], { ...size, env });
  terminals.push(terminal);
  return terminal;
}

const QUICKSTART_RUNS = /^quickstart {2}running .*4 workers {2}term 1$/m;
const CURVE = /^ +\d+\.\d+ [⠀-⣿ ]{20,}/m;
const stepOf = (terminal: PseudoTerminal): number =>
  Number(/^step (\d+)\//m.exec(terminal.screen.text())?.[1] ?? -1);

describe.skipIf(missing !== null)(`cria watch on a terminal${missing === null ? '' : `: ${missing}`}`, () => {
  it('shows curve, workers and events, live, and gives the terminal back', async () => {
    const { address } = await serve();
    const terminal = watch(address);
    await terminal.shows(QUICKSTART_RUNS);
    await terminal.shows(CURVE);
    await terminal.shows(/^w-[0-9a-f]{6} +\d,\d.* +\d\.\dk .* 97% 56\.8GiB .*ok$/m);
    await terminal.shows('checkpoint of step 100 is written and verified');
    const before = stepOf(terminal);
    await terminal.shows(() => stepOf(terminal) > before + 1);
    terminal.press('q');
    expect(await terminal.ended()).toEqual({ code: 0, restored: true });
  });

  it('follows the size of the terminal, down to the smallest', async () => {
    const { address } = await serve();
    const terminal = watch(address);
    await terminal.shows(CURVE);
    terminal.resize(120, 40);
    await terminal.shows(/^worker +role .* memory +gpu +device +version +host +contact$/m);
    terminal.resize(20, 6);
    await terminal.shows(/^q quit {2}\? help$/m);
    expect(terminal.screen.lines()[0]).toBe('quickstart  running');
    terminal.resize(80, 24);
    await terminal.shows(/^worker .* contact$/m);
  });

  it('obeys keys, and asks before it pauses the run', async () => {
    const { address } = await serve();
    const terminal = watch(address);
    await terminal.shows(CURVE);
    terminal.press('?');
    await terminal.shows('pause the run, or let it go on; asks first');
    terminal.press('?lsx');
    await terminal.shows('loss by tokens, log, mean of 128 steps');
    terminal.press('x\u001b[A\u001b[A');
    await terminal.shows('loss by time, log, mean of 128 steps  1/4, newest');
    terminal.press('p');
    await terminal.shows('pause the run? y or n');
    terminal.press('n');
    await terminal.shows(/^q quit {2}\? help {2}p pause/m);
    expect(terminal.screen.text()).toMatch(QUICKSTART_RUNS);
    terminal.press('py');
    await terminal.shows(/^quickstart {2}paused/m);
    terminal.press('py');
    await terminal.shows(QUICKSTART_RUNS);
  });

  it('acknowledges an alert, which then is no longer shown', async () => {
    const { address } = await serve(0, '120', 'trouble');
    const terminal = watch(address);
    const open = (text: string): number =>
      text.match(/^. \w+ of step \d+ is not finite {2}step/gm)?.length ?? 0;
    await terminal.shows((text) => open(text) === 2);
    terminal.press('a');
    await terminal.shows(/^acknowledge "\w+ of step \d+ is not finite"\? y or n/m);
    terminal.press('y');
    await terminal.shows((text) => open(text) === 1);
  });

  it("survives the coordinator's death, says so, and goes on with the next one", async () => {
    const first = await serve();
    const terminal = watch(first.address);
    await terminal.shows(CURVE);
    first.process.kill('SIGKILL');
    await terminal.shows(/no contact for \d+ s, trying again \(/);
    expect(terminal.screen.text()).toMatch(CURVE);
    await serve(Number(first.address.split(':')[1]));
    await terminal.shows((text) => !text.includes('no contact for'));
    const before = stepOf(terminal);
    await terminal.shows(() => stepOf(terminal) > before + 1);
    expect(terminal.screen.text()).toMatch(QUICKSTART_RUNS);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('gives the terminal back at %s', async (signal, code) => {
    const { address } = await serve();
    const terminal = watch(address);
    await terminal.shows(CURVE);
    terminal.kill(signal);
    expect(await terminal.ended()).toEqual({ code, restored: true });
  });

  it('gives the terminal back at Ctrl-C', async () => {
    const { address } = await serve();
    const terminal = watch(address);
    await terminal.shows(CURVE);
    terminal.press('\u0003');
    expect(await terminal.ended()).toEqual({ code: 130, restored: true });
  });

  it('is of ASCII without UTF-8, and without colours where NO_COLOR is set', async () => {
    const { address } = await serve();
    const terminal = watch(address, { columns: 80, rows: 24 }, { LC_ALL: 'C', NO_COLOR: '1' });
    await terminal.shows(/^[ \d.]{8}[ .o]*\*/m);
    await terminal.shows(/^worker /m);
    expect(terminal.screen.text()).toMatch(/^[ -~\n]*$/);
    expect(terminal.output).not.toMatch(/\u001b\[[\d;]*[1-9]m/);
    terminal.press('q');
    await terminal.ended();
  });

  it('draws nothing where TERM is dumb', async () => {
    const { address } = await serve();
    const terminal = watch(address, { columns: 80, rows: 24 }, { TERM: 'dumb' });
    expect(await terminal.ended()).toEqual({ code: 0, restored: true });
    expect(terminal.output.replace(/[\r\n]/g, '')).toMatch(/^[ -~]*$/);
    expect(terminal.output).toContain('seats: 4 wanted, 0 open');
  });
});

describe('cria watch elsewhere', () => {
  it('says once how the run is', async () => {
    const { address } = await serve();
    const { code, stdout } = await runCria(['watch', '--coordinators', address], { cwd: '/' });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^quickstart {2}running\nstep \d+ of 100000 /);
    expect(stdout).toContain('checkpoint of step 100 is written and verified');
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  });

  it('prints one JSON object with --json', async () => {
    const { address } = await serve();
    const { stdout } = await runCria(['watch', '--json', '--coordinators', address], { cwd: '/' });
    const shown = JSON.parse(stdout) as {
      run: string;
      members: unknown[];
      events: unknown[];
      alerts: unknown[];
    };
    expect(shown.run).toBe('quickstart');
    expect(shown.members).toHaveLength(4);
    expect(shown.events.length).toBeGreaterThan(2);
    expect(shown.alerts).toEqual([]);
  });

  it('ends with exit code 1 and the reason when nobody answers', async () => {
    const { address, process: server } = await serve();
    server.kill('SIGKILL');
    await new Promise((resolve) => server.once('close', resolve));
    const { code, stderr } = await runCria(['watch', '--coordinators', address], { cwd: '/' });
    expect(code).toBe(1);
    expect(stderr).toContain('no coordinator of the run answers');
  });
});
