import { readFileSync } from 'node:fs';

/** Of Cria; all packages have the same one. */
export function criaVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return String((JSON.parse(readFileSync(file, 'utf8')) as { version: unknown }).version);
}
