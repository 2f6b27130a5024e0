// Builds the native addon: calls the C++ compiler directly, once per source file and instruction set, in parallel,
// what is out of date, with no download (the headers come from node-api-headers and node-addon-api).
//
//   node build-addon.mjs [--jobs N] [--verbose]
//
// Exit codes: 0 built or up to date, 1 the compiler failed, 2 there is no compiler.
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const release = path.join(root, 'build', 'Release');
const objects = path.join(root, 'build', 'objects');
const addon = path.join(release, 'cria_kernels.node');
const verbose = process.argv.includes('--verbose');

// Never -ffast-math, never contraction: the bits of a run depend on it (docs/numerics).
const COMMON = [
  '-std=c++17',
  '-O3',
  '-fPIC',
  '-fvisibility=hidden',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-fno-trapping-math',
  '-pthread',
  '-Wall',
  '-Wno-psabi',
];
// g++ 12 warns about its own AVX-512 headers.
const GCC_ONLY = ['-Wno-uninitialized', '-Wno-maybe-uninitialized'];
// prefetchw is no risk: a CPU that lacks it takes it for a nop.
const AVX2 = ['-mavx2', '-mfma', '-mbmi2', '-mpopcnt', '-msse4.2', '-mprfchw'];
const AVX512 = [...AVX2, '-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx512cd'];
const WIDE = '-mprefer-vector-width=512';
const INSTRUCTION_SETS =
  process.arch === 'x64'
    ? {
        avx512bf16: [...AVX512, '-mavx512bf16', WIDE],
        avx512: [...AVX512, WIDE],
        avx2: AVX2,
        portable: [],
      }
    : { portable: [] };

// Without the last, a thread that is ended in the middle of a call (a worker that leaves) would take the process along:
// the call's end can neither return a value nor throw any more.
const BINDING = [
  '-DNAPI_VERSION=8',
  '-DNODE_ADDON_API_CPP_EXCEPTIONS',
  '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
];

// These are compiled once; every other file of native/cpu once per instruction set.
const SHARED = ['context.cc', 'thread-pool.cc', 'instruction-set.cc', 'self-test.cc'];

function findCompiler() {
  const candidates = [process.env.CXX, 'c++', 'g++', 'clang++'].filter((name) => name);
  for (const name of candidates) {
    const probe = spawnSync(name, ['--version'], { encoding: 'utf8' });
    if (probe.status === 0)
      return { name, isClang: /clang/i.test(probe.stdout), version: probe.stdout.split('\n')[0] };
  }
  return null;
}

function planObjects(isClang) {
  const cpu = path.join(root, 'native', 'cpu');
  const common = isClang ? [...COMMON, '-Wno-pass-failed'] : [...COMMON, ...GCC_ONLY];
  const plan = [];
  for (const file of readdirSync(cpu).filter((name) => name.endsWith('.cc'))) {
    const source = path.join(cpu, file);
    const sets = SHARED.includes(file) ? { shared: [] } : INSTRUCTION_SETS;
    for (const [set, flags] of Object.entries(sets)) {
      const define = set === 'shared' ? [] : [`-DCRIA_ISA=${set}`];
      plan.push({
        source,
        object: path.join(objects, `${file}.${set}.o`),
        flags: [...common, ...flags, ...define],
      });
    }
  }
  const binding = path.join(root, 'binding');
  const include = [
    `-I${path.dirname(require.resolve('node-addon-api/package.json'))}`,
    `-I${path.join(path.dirname(require.resolve('node-api-headers/package.json')), 'include')}`,
  ];
  for (const file of readdirSync(binding).filter((name) => name.endsWith('.cc'))) {
    plan.push({
      source: path.join(binding, file),
      object: path.join(objects, `binding-${file}.o`),
      flags: [...common, '-O2', ...BINDING, ...include],
    });
  }
  return plan;
}

const modified = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0);

/** Whether the object is missing or older than anything that went into it, as the compiler listed it last time. */
function isStale({ object }) {
  const list = `${object}.d`;
  if (!existsSync(object) || !existsSync(list)) return true;
  const inputs = readFileSync(list, 'utf8')
    .replace(/\\\n/g, ' ')
    .split(': ')[1]
    .trim()
    .split(/(?<!\\)\s+/);
  const built = modified(object);
  return inputs.some((file) => !existsSync(file) || modified(file) > built);
}

function run(command, args) {
  if (verbose) console.log([command, ...args].join(' '));
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

/** Runs jobs, at most `limit` at a time, and stops starting new ones after a failure. */
async function runAll(jobs, limit) {
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < jobs.length && !failed) failed = (await jobs[next++]()) !== 0 || failed;
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return !failed;
}

function jobsWanted() {
  const at = process.argv.indexOf('--jobs');
  return at > 0 ? Math.max(1, Number(process.argv[at + 1]) || 1) : availableParallelism();
}

async function main() {
  const compiler = findCompiler();
  if (compiler === null) {
    console.error('no C++ compiler (tried $CXX, c++, g++, clang++): install g++, then run this again');
    return 2;
  }
  mkdirSync(objects, { recursive: true });
  mkdirSync(release, { recursive: true });
  const plan = planObjects(compiler.isClang);
  const stamp = path.join(objects, 'flags.txt');
  const wanted = JSON.stringify([
    compiler.version,
    plan.map(({ object, flags }) => [path.basename(object), flags]),
  ]);
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    for (const { object } of plan) rmSync(object, { force: true });
    writeFileSync(stamp, wanted);
  }
  const stale = plan.filter(isStale);
  if (stale.length === 0 && plan.every(({ object }) => modified(object) <= modified(addon))) return 0;
  console.log(`compiling ${stale.length} of ${plan.length} files with ${compiler.version}`);
  const jobs = stale.map(
    ({ source, object, flags }) =>
      () =>
        run(compiler.name, [...flags, '-MMD', '-MF', `${object}.d`, '-c', source, '-o', object]),
  );
  if (!(await runAll(jobs, jobsWanted()))) return 1;
  return link(
    compiler.name,
    plan.map(({ object }) => object),
  );
}

/** By way of another name: a process that has the old addon open keeps it whole. */
async function link(compiler, inputs) {
  const shared = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  const fresh = `${addon}.${process.pid}`;
  const code = await run(compiler, [...shared, '-pthread', '-o', fresh, ...inputs]);
  if (code === 0) renameSync(fresh, addon);
  return code;
}

process.exitCode = await main();
