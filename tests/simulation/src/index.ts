export { simulate } from './simulate.js';
export type { SimulateOptions, SimulationResult } from './simulate.js';
