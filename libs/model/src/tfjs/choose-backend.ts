// Which TensorFlow.js backend serves a device. A pure decision: what is installed is asked through `canResolve`.
import { CriaError } from '@cria/runtime';

export type BackendName = 'tensorflow' | 'wasm' | 'cpu';

/** A backend and the npm package that brings it. */
export interface BackendChoice {
  readonly name: BackendName;
  readonly packageName: string;
  readonly deviceClass: 'cpu' | 'cuda';
}

const TENSORFLOW_GPU = '@tensorflow/tfjs-node-gpu';
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
const PLAIN: BackendChoice = { name: 'cpu', packageName: '@tensorflow/tfjs-backend-cpu', deviceClass: 'cpu' };

/**
 * cpu: TensorFlow where the user has installed tfjs-node, else wasm, else plain JavaScript.
 * cuda:N: tfjs-node-gpu and nothing else: silently training on the CPU instead would be worse than stopping.
 *
 * @param request.backend restricts the choice on cpu to this one
 * @param canResolve whether an npm package is installed here
 * @throws ENGINE_UNAVAILABLE naming the command that installs what is missing; USAGE for an unknown device
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
  if (backend === 'tensorflow')
    throw missing(TENSORFLOW.packageName, 'the tensorflow backend', 'or use another backend');
  throw new CriaError('ENGINE_UNAVAILABLE', 'no TensorFlow.js backend is installed; run npm ci');
}

function chooseGpu(
  { device, backend }: { device: string; backend?: BackendName },
  canResolve: (packageName: string) => boolean,
): BackendChoice {
  if (backend !== undefined && backend !== 'tensorflow') {
    throw new CriaError('USAGE', `the tfjs backend ${backend} computes on the cpu, not on ${device}`);
  }
  if (!canResolve(TENSORFLOW_GPU))
    throw missing(TENSORFLOW_GPU, `the tfjs engine on ${device}`, 'or use --device cpu');
  return { name: 'tensorflow', packageName: TENSORFLOW_GPU, deviceClass: 'cuda' };
}

function missing(packageName: string, what: string, alternative: string): CriaError {
  return new CriaError(
    'ENGINE_UNAVAILABLE',
    `${what} needs ${packageName}, which is not installed: run npm install ${packageName}, ${alternative}`,
    { context: { packageName } },
  );
}
