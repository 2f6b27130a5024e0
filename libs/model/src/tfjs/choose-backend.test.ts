import { describe, expect, it } from 'vitest';
import { chooseBackend } from './choose-backend.js';

const NODE = '@tensorflow/tfjs-node';
const NODE_GPU = '@tensorflow/tfjs-node-gpu';
const WASM = '@tensorflow/tfjs-backend-wasm';
const PLAIN = '@tensorflow/tfjs-backend-cpu';

const installed =
  (...packages: string[]) =>
  (name: string): boolean =>
    packages.includes(name);

describe('the backend for the cpu', () => {
  it('is TensorFlow where it was set up, else wasm, else plain JavaScript', () => {
    const choose = (...packages: string[]): string =>
      chooseBackend({ device: 'cpu' }, installed(...packages)).packageName;
    expect(choose(PLAIN, WASM, NODE)).toBe(NODE);
    expect(choose(PLAIN, WASM, NODE_GPU)).toBe(WASM);
    expect(choose(PLAIN)).toBe(PLAIN);
  });

  it('is the one that was asked for', () => {
    const choice = chooseBackend({ device: 'cpu', backend: 'wasm' }, installed(PLAIN, WASM, NODE));
    expect(choice).toEqual({ name: 'wasm', packageName: WASM, deviceClass: 'cpu' });
  });

  it('is refused with the command when TensorFlow was asked for and is not there', () => {
    const attempt = (): unknown => chooseBackend({ device: 'cpu', backend: 'tensorflow' }, installed(WASM));
    expect(attempt).toThrow(expect.objectContaining({ code: 'ENGINE_UNAVAILABLE' }));
    expect(attempt).toThrow(
      "engine.backend: tensorflow needs @tensorflow/tfjs-node with TensorFlow's library, which this machine lacks: " +
        'run `cria setup --tensorflow cpu`, then start again (wasm computes other bits and cannot take part)',
    );
  });

  it('is refused when nothing is installed', () => {
    expect(() => chooseBackend({ device: 'cpu' }, installed())).toThrow('npm ci');
  });
});

describe('the backend for a GPU', () => {
  it('is tfjs-node-gpu', () => {
    expect(chooseBackend({ device: 'cuda:1' }, installed(NODE_GPU))).toEqual({
      name: 'tensorflow',
      packageName: NODE_GPU,
      deviceClass: 'cuda',
    });
  });

  it('is never replaced by one for the cpu: the command that installs it is named instead', () => {
    const attempt = (): unknown => chooseBackend({ device: 'cuda:0' }, installed(PLAIN, WASM, NODE));
    expect(attempt).toThrow(expect.objectContaining({ code: 'ENGINE_UNAVAILABLE' }));
    expect(attempt).toThrow('run `cria setup --tensorflow gpu`, or use --device cpu');
  });

  it('cannot be wasm', () => {
    expect(() => chooseBackend({ device: 'cuda:0', backend: 'wasm' }, installed(WASM, NODE_GPU))).toThrow(
      'wasm computes on the cpu',
    );
  });
});

it.each(['gpu', 'cuda', 'cuda:x', ''])('the device "%s" is refused with what there is', (device) => {
  const attempt = (): unknown => chooseBackend({ device }, installed(WASM));
  expect(attempt).toThrow(expect.objectContaining({ code: 'USAGE' }));
  expect(attempt).toThrow('use cpu or cuda:N');
});
