// Entry of the exchange thread: an ExchangeNode behind messages.
import { parentPort } from 'node:worker_threads';
import { loadKernels } from '@cria/kernels';
import { AssertionError, CriaError, present, systemClock } from '@cria/runtime';
import { ExchangeNode } from '../exchange/exchange-node.js';
import type { FrameTap } from '../wire/part-source.js';
import type { FromThread, StartOptions, TapModule, ToThread } from './messages.js';

const port = present(parentPort, 'the port to the main thread');
const pulls = new Map<number, AbortController>();
let node: ExchangeNode | null = null;

const post = (message: FromThread): void => port.postMessage(message);

port.on('message', (message: ToThread) => {
  handle(message).then(
    (value) => post({ kind: 'answer', id: message.id, value }),
    (error: unknown) => {
      if (error instanceof AssertionError) return endThread(error);
      post({ kind: 'failure', id: message.id, error: CriaError.from(error).toRecord() });
    },
  );
});

/** A broken assumption ends the thread, and with it, by the main thread's decision, the process. */
function endThread(error: AssertionError): void {
  setImmediate(() => {
    throw error;
  });
}

async function handle(message: ToThread): Promise<unknown> {
  if (message.name === 'start') return start(message.argument);
  const exchange = present(node, 'the exchange node');
  switch (message.name) {
    case 'configure':
      return exchange.configure(message.argument);
    case 'resetSlots':
      return exchange.resetSlots(message.argument.step);
    case 'partsPassed':
      return exchange.partsPassed(message.argument);
    case 'slotDone':
      return exchange.slotDone(message.argument.step, message.argument.result);
    case 'begin':
      return exchange.begin(message.argument);
    case 'endStreams':
      return exchange.endStreams();
    case 'holdReduced':
      return exchange.holdReduced(message.argument.step);
    case 'releaseReduced':
      return exchange.releaseReduced(message.argument.hold);
    case 'dropReduced':
      return exchange.dropReduced(message.argument.step);
    case 'pullState':
      return pullState(exchange, message);
    case 'cancelPull':
      return pulls
        .get(message.argument.call)
        ?.abort(new CriaError('EXCHANGE_ABORTED', 'the pull was cancelled'));
    case 'preserve':
      return exchange.preserve(message.argument.position, message.argument.parts);
    case 'secureStripe':
      return exchange.secureStripe();
    case 'releaseStripe':
      return exchange.releaseStripe();
    case 'keepEntry':
      return exchange.keepEntry(message.argument.step, message.argument.line);
    case 'dropEntries':
      return exchange.dropEntries(message.argument.before);
    case 'stop':
      return exchange.stop();
  }
}

async function start({ listen, token, tap }: StartOptions): Promise<string> {
  const injected = tap === undefined ? {} : { tap: await loadTap(tap) };
  node = new ExchangeNode({
    kernels: loadKernels(),
    clock: systemClock,
    emit: (event) => post({ kind: 'event', event }),
    ...(token === undefined ? {} : { token }),
    ...injected,
  });
  return node.start(listen);
}

async function loadTap({ url, data }: TapModule): Promise<FrameTap> {
  const module = (await import(url)) as { createTap(data: unknown): FrameTap };
  return module.createTap(data);
}

async function pullState(
  exchange: ExchangeNode,
  { id, argument }: Extract<ToThread, { name: 'pullState' }>,
): Promise<unknown> {
  const abort = new AbortController();
  pulls.set(id, abort);
  try {
    return await exchange.pullState(argument, abort.signal);
  } finally {
    pulls.delete(id);
  }
}
