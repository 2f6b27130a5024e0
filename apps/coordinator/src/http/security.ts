// A page on the internet must not be able to read or steer a run on this machine through the browser of whoever opens
// it. Other origins get no CORS headers; a name that was made to point here (DNS rebinding) fails the Host check.
import type { MiddlewareHandler } from 'hono';
import { HttpProblem } from './http-problem.js';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: ReadonlyArray<readonly [string, string]> = [
  ['Content-Security-Policy', POLICY],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
];

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of HEADERS) c.res.headers.set(name, value);
};

/** Refuses requests whose Host is not this machine, where the server listens on loopback only. */
export function hostCheck(boundHost: string): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header('host') ?? '';
    if (isLoopback(boundHost) && !isLoopback(hostnameOf(host))) {
      const message = `this coordinator listens on ${boundHost} only and does not answer for "${host}"`;
      throw new HttpProblem(403, 'HOST_REFUSED', message);
    }
    await next();
  };
}

export function isLoopback(hostname: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(hostname) || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** `[::1]:80` and `localhost:80` without their port. */
function hostnameOf(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, '');
}
