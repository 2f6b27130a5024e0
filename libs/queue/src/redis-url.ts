import { CriaError } from '@cria/runtime';

/**
 * Checks a Redis URL.
 *
 * @returns the URL as it may be shown: without the password
 * @throws CriaError CONFIG_INVALID with an example of a right one
 */
export function displayUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !['redis:', 'rediss:'].includes(parsed.protocol) || parsed.hostname === '') {
    const shown = parsed === null ? url.replace(/\/\/.*@/, '//***@') : `${parsed.protocol}//${parsed.host}`;
    throw new CriaError(
      'CONFIG_INVALID',
      `"${shown}" is not a Redis URL: write redis://HOST:PORT, or rediss://HOST:PORT for TLS`,
    );
  }
  const user = parsed.username === '' ? '' : `${parsed.username}@`;
  return `${parsed.protocol}//${user}${parsed.host}${parsed.pathname === '/' ? '' : parsed.pathname}`;
}
