// genesis: the hash of all that can touch the mathematics. Two runs with one genesis compute the same states.
import { createHash } from 'node:crypto';
import { DEFAULT_GRID_BITS, type RunConfig } from './run-config.js';

export interface GenesisInputs {
  readonly config: RunConfig;
  /** Hash of the token files and their weights. */
  readonly dataFingerprint: string;
  /** One line: engine, arithmetic version, precision, device class, libraries. */
  readonly engineFingerprint: string;
  /** stateSha256 of the checkpoint or model directory that the run starts from, or null. */
  readonly parent: string | null;
}

/** Resolves `gridBits: auto`. */
export function gridBitsOf(config: RunConfig): number {
  return config.exchange.gridBits === 'auto' ? DEFAULT_GRID_BITS : config.exchange.gridBits;
}

/** The part of a configuration that can touch the mathematics: what a resumed run must not change. */
export function mathematicalPart(config: RunConfig): Record<string, unknown> {
  return {
    seed: config.seed,
    model: config.model,
    budget: config.budget,
    slots: config.slots,
    data: {
      order: config.data.order,
      weights: config.data.train.map((source) => source.weight),
      validationFraction: config.data.validation.fraction,
    },
    optimizer: config.optimizer,
    gridBits: gridBitsOf(config),
    anomalies: config.anomalies,
  };
}

/** Where two configurations differ mathematically: `seed: 7, now 9`. */
export function mathematicalDifferences(before: RunConfig, now: RunConfig): string[] {
  const old = leaves(mathematicalPart(before));
  const fresh = leaves(mathematicalPart(now));
  const paths = [...new Set([...old.keys(), ...fresh.keys()])].sort();
  return paths.flatMap((path) =>
    old.get(path) === fresh.get(path)
      ? []
      : [`${path}: ${old.get(path) ?? 'absent'}, now ${fresh.get(path) ?? 'absent'}`],
  );
}

function leaves(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map([[path, JSON.stringify(value)]]);
  const members = Object.entries(value).map(([key, member]) => [
    ...leaves(member, path === '' ? key : `${path}.${key}`),
  ]);
  return new Map(members.flat());
}

/** SHA-256, hexadecimal, over canonical JSON of the mathematical part of the configuration and the fingerprints. */
export function genesisOf({ config, dataFingerprint, engineFingerprint, parent }: GenesisInputs): string {
  const mathematical = {
    version: 1,
    ...mathematicalPart(config),
    dataFingerprint,
    engineFingerprint,
    parent,
  };
  return createHash('sha256').update(canonicalJson(mathematical)).digest('hex');
}

/** JSON with sorted keys and no white space; numbers as JavaScript prints them. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
