// What `cria setup --tensorflow` fetches, to the byte. The npm side is pinned by the lock files beside this one; the
// library comes out of a Python wheel of one fixed Python, whichever Python runs pip, so that all machines get one build.

/** Raised whenever what is put into the cache folder changes: an older one is then set up anew. libs/model knows it too. */
export const LAYOUT = 1;

export const TFJS_NODE_VERSION = '4.22.0';

const TENSORFLOW_VERSION = '2.21.0';

/**
 * @typedef {object} Variant
 * @property {'cpu'|'gpu'} name
 * @property {string} packageName the binding on the npm registry
 * @property {ReadonlyArray<string>} installerArguments what the package's own install script is called with
 * @property {{distribution: string, version: string, sha256: string, sizeBytes: number}} wheel
 * @property {number} diskBytes needed while it is being set up
 */

/** @type {Readonly<Record<'cpu'|'gpu', Variant>>} */
export const VARIANTS = {
  cpu: {
    name: 'cpu',
    packageName: '@tensorflow/tfjs-node',
    installerArguments: [],
    wheel: {
      distribution: 'tensorflow-cpu',
      version: TENSORFLOW_VERSION,
      sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      sizeBytes: 273_829_956,
    },
    diskBytes: 1.7 * 2 ** 30,
  },
  gpu: {
    name: 'gpu',
    packageName: '@tensorflow/tfjs-node-gpu',
    installerArguments: ['gpu', 'download'],
    wheel: {
      distribution: 'tensorflow',
      version: TENSORFLOW_VERSION,
      sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      sizeBytes: 572_000_000,
    },
    diskBytes: 2.6 * 2 ** 30,
  },
};

/** The wheel's tags. Its C library does not care for the Python it was built beside. */
export const WHEEL_TAGS = [
  '--platform',
  'manylinux_2_27_x86_64',
  '--python-version',
  '3.11',
  '--implementation',
  'cp',
  '--abi',
  'cp311',
];
