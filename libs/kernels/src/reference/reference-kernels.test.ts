import { kernelsSuite } from '../conformance/kernels-suite.js';
import { referenceKernels } from './reference-kernels.js';

kernelsSuite(referenceKernels);
