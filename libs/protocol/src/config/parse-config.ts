import { CriaError } from '@cria/runtime';
import { parseDocument, stringify } from 'yaml';
import type { z } from 'zod';
import { runConfigSchema, type RunConfig } from './run-config.js';

/** One `--set path=value` (the value is read as YAML, so numbers and booleans are themselves). */
export interface Override {
  readonly path: string;
  readonly value: unknown;
  /** Where it came from, for messages: `--set`, `--workers`, `CRIA_...`. */
  readonly origin: string;
}

/** Reads `path=value`. Throws USAGE naming the form when there is no `=`. */
export function parseOverride(text: string, origin = '--set'): Override {
  const at = text.indexOf('=');
  if (at <= 0) throw new CriaError('USAGE', `${origin} wants path=value, got "${text}"`);
  const document = parseDocument(text.slice(at + 1));
  if (document.errors.length > 0) {
    throw new CriaError('USAGE', `${origin} ${text}: the value is not YAML: ${document.errors[0]?.message}`);
  }
  return { path: text.slice(0, at), value: document.toJS() as unknown, origin };
}

/** The text of config.yaml: what {@link parseRunConfig} reads back as the same configuration. */
export function formatRunConfig(config: RunConfig): string {
  return `# The run's configuration as it was resolved.\n${stringify(config)}`;
}

/**
 * Reads a run configuration.
 *
 * @param text YAML
 * @param where the file's name, for messages
 * @param overrides applied in order; the last one wins
 * @throws CriaError CONFIG_INVALID naming every bad path with the allowed values
 */
export function parseRunConfig(text: string, where: string, overrides: readonly Override[] = []): RunConfig {
  const document = parseDocument(text, { prettyErrors: true });
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    throw new CriaError('CONFIG_INVALID', `${where} is not valid YAML: ${syntax.message}`);
  }
  const tree: unknown = document.toJS() ?? {};
  if (!isTree(tree)) throw new CriaError('CONFIG_INVALID', `${where}: the top level must be a mapping`);
  for (const override of overrides) applyOverride(tree, override);
  return validateRunConfig(tree, where);
}

/** Validates an already parsed tree (a resolved config.yaml, a Describe reply). */
export function validateRunConfig(tree: unknown, where: string): RunConfig {
  const result = runConfigSchema.safeParse(tree);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => `  ${describeIssue(issue)}`);
  throw new CriaError('CONFIG_INVALID', `${where} is not a valid run configuration:\n${lines.join('\n')}`);
}

/** Any YAML (or JSON) text as plain data; for files that others wrote and that are only shown. Throws what is wrong with it. */
export function parseYaml(text: string): unknown {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new CriaError('CONFIG_INVALID', `not valid YAML: ${error.message}`);
  return document.toJS() as unknown;
}

type Tree = Record<string, unknown>;

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function applyOverride(tree: Tree, { path, value, origin }: Override): void {
  const keys = path.split('.');
  const last = keys.pop();
  let node: Tree = tree;
  for (const key of keys) {
    const next = node[key] ?? (node[key] = {});
    if (!isTree(next)) {
      throw new CriaError('CONFIG_INVALID', `${origin} ${path}: "${key}" has no fields below it`);
    }
    node = next;
  }
  if (last !== undefined) node[last] = value;
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.') || '(top level)';
  if (issue.code === 'unrecognized_keys') {
    const prefix = issue.path.length > 0 ? `${path}.` : '';
    return issue.keys.map((key) => `${prefix}${key}: unknown key`).join('\n  ');
  }
  if (issue.code === 'invalid_value') return `${path}: allowed are ${issue.values.join(', ')}`;
  return `${path}: ${issue.message}`;
}
