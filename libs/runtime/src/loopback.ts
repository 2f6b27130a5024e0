import { isIPv4, isIPv6 } from 'node:net';
import { CriaError } from './errors.js';

/**
 * Refuses to listen where strangers could connect: control, peer and HTTP traffic have no TLS yet.
 *
 * @throws CONFIG_INVALID naming the flag and the remedy
 */
export function requireLoopback(host: string, flag = '--listen'): void {
  const isLoopback =
    host === 'localhost' || (isIPv4(host) && host.startsWith('127.')) || (isIPv6(host) && host === '::1');
  if (isLoopback) return;
  throw new CriaError(
    'CONFIG_INVALID',
    `${flag} ${host}: listening beyond this machine needs TLS and a token, which this version does not have; ` +
      'use 127.0.0.1 and tunnel to it (ssh -L, WireGuard)',
  );
}
