// A stand-in for `cria coordinator` and `cria worker`: a run that only counts. What it is to do wrong stands in
// files of the run's directory, so that a test can change its mind while it runs.
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const STEP_MS = 40;
const ROWS = { gradNorm: 1, lr: 1e-3, tokensPerSecond: 1, stepMs: 1, computeMs: 1, exchangeMs: 1, waitMs: 1 };
const MORE = {
  commitMs: 1,
  lostMs: 0,
  attempts: 1,
  workers: 1,
  bitsPerParameter: 10,
  mfu: null,
  verdict: 'use',
};

const [role, ...argv] = process.argv.slice(2);
const flag = (name) => argv[argv.indexOf(`--${name}`) + 1];
const order = (word) => process.env.STUB_ORDER && appendFileSync(process.env.STUB_ORDER, `${word}\n`);

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => (stopping = true));

if (role === 'worker') await worker();
else await coordinator();

async function worker() {
  if (argv.includes('--probe')) {
    console.log(
      JSON.stringify({
        kind: 'tfjs',
        precision: 'f32',
        backend: 'wasm',
        threads: 'auto',
        fingerprint: 'stub',
        description: 'a stub',
      }),
    );
    return;
  }
  if (process.env.STUB_WORKER_FAILS) process.exit(1);
  order('ready');
  while (!stopping) await sleep(10);
  order('worker');
}

async function coordinator() {
  if (process.env.STUB_COORDINATOR_SAYS) {
    process.stderr.write(`cria: ${process.env.STUB_COORDINATOR_SAYS}\n`);
    process.exit(2);
  }
  const out = flag('out');
  const metrics = join(out, 'metrics.jsonl');
  const server = createServer((request, response) => response.end('{}')).listen(
    Number(flag('http-port')),
    '127.0.0.1',
  );
  await new Promise((resolve) => server.once('listening', resolve));
  let step = existsSync(metrics) ? readFileSync(metrics, 'utf8').trim().split('\n').length : 0;
  const steps = Number(flag('steps'));
  write(out, server, 'running', step);
  while (!stopping && step < steps) {
    await sleep(STEP_MS);
    if (existsSync(join(out, 'hold'))) continue;
    const row = { step, tokens: step, loss: 1, ...ROWS, ...MORE, wallMs: step, activeMs: step, segment: 0 };
    appendFileSync(metrics, `${JSON.stringify(row)}\n`);
    write(out, server, 'running', ++step);
  }
  if (step >= steps) write(out, server, 'finished', step);
  server.close();
  order('coordinator');
}

function write(out, server, phase, step) {
  const targetFile = join(out, 'target');
  const target = existsSync(targetFile) ? Number(readFileSync(targetFile, 'utf8')) : 2;
  const address = `127.0.0.1:${server.address().port}`;
  const outcome = { run: 'stub', runId: 'x', steps: step, tokens: 0, loss: 1, valLoss: null, mathHash: 'm' };
  const more = {
    opsHash: 'o',
    checkpoint: 'c',
    modelSha256: 'a',
    stateSha256: 'b',
    tokensPerSecond: 1,
    wallMs: 1,
  };
  const file = {
    ...{ run: 'stub', runId: 'x', redisUrl: flag('redis'), phase },
    desired: { revision: 0, target, paused: false, stop: false },
    coordinators: [{ id: 'c', pid: process.pid, grpcAddress: address, httpAddress: address }],
    ...{ token: 't', outcome: phase === 'finished' ? { ...outcome, ...more } : null, failure: null },
  };
  // Whole or not at all, as the real one.
  writeFileSync(join(out, 'run.json.tmp'), JSON.stringify(file));
  renameSync(join(out, 'run.json.tmp'), join(out, 'run.json'));
}
