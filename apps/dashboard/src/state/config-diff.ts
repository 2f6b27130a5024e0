// Configurations side by side: what differs is what one looks for.
import type { FlatConfig } from '../api/types';

export interface DiffRow {
  readonly key: string;
  /** As text, one a run; null where a run lacks the field. */
  readonly values: ReadonlyArray<string | null>;
  readonly differs: boolean;
}

export function diffConfigs(configs: readonly FlatConfig[]): readonly DiffRow[] {
  const keys = [...new Set(configs.flatMap((config) => Object.keys(config)))].sort();
  return keys.map((key) => {
    const values = configs.map((config) => (Object.hasOwn(config, key) ? String(config[key]) : null));
    return { key, values, differs: values.some((value) => value !== values[0]) };
  });
}
