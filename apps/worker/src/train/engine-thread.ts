// The engine thread: owns the device, does one call after the other. The main thread stays free for the leader.
import { loadKernels } from '@cria/kernels';
import { createEngine } from '@cria/model';
import { CriaError, present, unreachable } from '@cria/runtime';
import { parentPort } from 'node:worker_threads';
import type { FromEngine, ToEngine } from './engine-messages.js';
import { Trainer } from './trainer.js';

const port = present(parentPort, 'the engine thread has a parent');
let trainer: Trainer | null = null;
let last: Promise<void> = Promise.resolve();

port.on('message', (message: ToEngine) => {
  last = last.then(() => answer(message));
});

async function answer(message: ToEngine): Promise<void> {
  const { id } = message;
  let reply: FromEngine;
  try {
    reply = { kind: 'answer', id, value: await carryOut(message) };
  } catch (error) {
    reply = { kind: 'failure', id, error: CriaError.from(error).toRecord() };
  }
  port.postMessage(reply);
}

async function carryOut(message: ToEngine): Promise<unknown> {
  if (message.name === 'open') {
    const engine = await createEngine(message.argument.engine);
    trainer = new Trainer(
      message.argument,
      engine,
      loadKernels({ threads: message.argument.engine.threads }),
    );
    return { fingerprint: engine.fingerprint, description: engine.description };
  }
  return carryOutOn(present(trainer, 'an open engine'), message);
}

function carryOutOn(open: Trainer, message: Exclude<ToEngine, { name: 'open' }>): unknown {
  switch (message.name) {
    case 'makeState':
      return open.makeState();
    case 'adoptState':
      return open.adoptState();
    case 'slot':
      return open.slot(message.argument);
    case 'stateDigest':
      return open.stateDigest();
    case 'update':
      return open.update(message.argument);
    case 'rollForward':
      return open.rollForward(message.argument);
    case 'evaluate':
      return open.evaluate(message.argument);
    case 'close':
      return null;
    default:
      return unreachable(message);
  }
}
