// Which TensorFlow.js backend serves a device. A pure decision: what is installed is asked through `canResolve`.
import { CriaError } from '@cria/runtime';

export type BackendName = 'tensorflow' | 'wasm' | 'cpu';

/** A backend and the npm package that brings it. */
export interface BackendChoice {
  readonly name: BackendName;
  readonly packageName: string;
  readonly deviceClass: 'cpu' | 'cuda';
}

const TENSORFLOW_GPU: BackendChoice = {
  name: 'tensorflow',
  packageName: '@tensorflow/tfjs-node-gpu',
  deviceClass: 'cuda',
};
const TENSORFLOW: BackendChoice = {
  name: 'tensorflow',
  packageName: '@tensorflow/tfjs-node',
  deviceClass: 'cpu',
};
const WASM: BackendChoice = {
  name: 'wasm',
  packageName: '@tensorflow/tfjs-backend-wasm',
  deviceClass: 'cpu',
};
/** Why no other backend steps in: a joining worker reads this. */
const NOT_WASM = 'then start again (wasm computes other bits and cannot take part)';
const PLAIN: BackendChoice = { name: 'cpu', packageName: '@tensorflow/tfjs-backend-cpu', deviceClass: 'cpu' };

/**
 * cpu: TensorFlow where it was set up, else wasm, else plain JavaScript.
 * cuda:N: tfjs-node-gpu and nothing else: silently training on the CPU instead would be worse than stopping.
 *
 * @param request.backend restricts the choice on cpu to this one
 * @param canResolve whether an npm package is installed here
 * @throws ENGINE_UNAVAILABLE naming the command that brings what is missing; USAGE for an unknown device
 */
export function chooseBackend(
  request: { device: string; backend?: BackendName },
  canResolve: (packageName: string) => boolean,
): BackendChoice {
  const { device, backend } = request;
  if (/^cuda:\d+$/.test(device)) return chooseGpu(request, canResolve);
  if (device !== 'cpu')
    throw new CriaError('USAGE', `there is no device "${device}"; use cpu or cuda:N, as in cuda:0`);
  const choice = [TENSORFLOW, WASM, PLAIN].find(
    (candidate) => (backend === undefined || candidate.name === backend) && canResolve(candidate.packageName),
  );
  if (choice !== undefined) return choice;
  if (backend === 'tensorflow') throw missing(TENSORFLOW, 'engine.backend: tensorflow', NOT_WASM);
  throw new CriaError('ENGINE_UNAVAILABLE', 'no TensorFlow.js backend is installed; run npm ci');
}

function chooseGpu(
  { device, backend }: { device: string; backend?: BackendName },
  canResolve: (packageName: string) => boolean,
): BackendChoice {
  if (backend !== undefined && backend !== 'tensorflow') {
    throw new CriaError('USAGE', `the tfjs backend ${backend} computes on the cpu, not on ${device}`);
  }
  if (!canResolve(TENSORFLOW_GPU.packageName))
    throw missing(TENSORFLOW_GPU, `the tfjs engine on ${device}`, 'or use --device cpu');
  return TENSORFLOW_GPU;
}

/** What `cria setup --tensorflow` calls the package for this class of devices. */
export function variantOf(deviceClass: BackendChoice['deviceClass']): 'cpu' | 'gpu' {
  return deviceClass === 'cuda' ? 'gpu' : 'cpu';
}

function missing({ packageName, deviceClass }: BackendChoice, what: string, alternative: string): CriaError {
  return new CriaError(
    'ENGINE_UNAVAILABLE',
    `${what} needs ${packageName} with TensorFlow's library, which this machine lacks: ` +
      `run \`cria setup --tensorflow ${variantOf(deviceClass)}\`, ${alternative}`,
    { context: { packageName } },
  );
}
