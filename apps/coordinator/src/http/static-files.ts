// The built dashboard, read into memory (a few hundred kilobytes) and again when it was built anew: no path from a
// request ever touches the disk.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Context } from 'hono';
import { HttpProblem } from './http-problem.js';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Cria</title>
<h1>The dashboard is not built</h1>
<p>Build it with <code>npx nx build @cria/dashboard</code> in the repository, then load this page again.</p>
<p>The run goes on without it. Its numbers are at <a href="/api/runs">/api/runs</a> and
<a href="/metrics">/metrics</a>.</p></html>
`;

interface StaticFile {
  readonly body: Buffer;
  readonly gzipped: Buffer;
  readonly type: string;
  readonly etag: string;
  /** Vite puts a hash of the content into the names under assets/. */
  readonly immutable: boolean;
}

export class StaticFiles {
  readonly #directory: string;
  #files: ReadonlyMap<string, StaticFile> = new Map();
  #builtMs = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The file, the page itself for any other address a browser opens, or the page that says how to build it. */
  respond(c: Context): Response {
    const isPage = extname(c.req.path) === '';
    if (isPage || this.#builtMs === 0) this.#refresh();
    const page = this.#files.get('/index.html');
    if (page === undefined && c.req.path === '/') return c.html(NOT_BUILT, 503);
    const exact = this.#files.get(c.req.path === '/' ? '/index.html' : c.req.path);
    const wantsPage = isPage && c.req.header('accept')?.includes('text/html');
    const file = exact ?? (wantsPage ? page : undefined);
    if (file === undefined) throw new HttpProblem(404, 'NOT_FOUND', `nothing is at ${c.req.path}`);
    return send(c, file);
  }

  #refresh(): void {
    const index = statSync(join(this.#directory, 'index.html'), { throwIfNoEntry: false });
    if (index === undefined || index.mtimeMs === this.#builtMs) return;
    this.#builtMs = index.mtimeMs;
    this.#files = loadFiles(this.#directory);
  }
}

function send(c: Context, file: StaticFile): Response {
  c.header('ETag', file.etag);
  c.header('Cache-Control', file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache');
  c.header('Vary', 'Accept-Encoding');
  if (c.req.header('if-none-match') === file.etag) return c.body(null, 304);
  c.header('Content-Type', file.type);
  const gzip = c.req.header('accept-encoding')?.includes('gzip') && file.gzipped.length < file.body.length;
  if (!gzip) return c.body(new Uint8Array(file.body));
  c.header('Content-Encoding', 'gzip');
  return c.body(new Uint8Array(file.gzipped));
}

function loadFiles(directory: string): ReadonlyMap<string, StaticFile> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const paths = names.map((name) => join(directory, name));
  const files = paths.filter((path) => statSync(path).isFile());
  return new Map(files.map((path) => [`/${relative(directory, path).split(sep).join('/')}`, loadFile(path)]));
}

function loadFile(path: string): StaticFile {
  const body = readFileSync(path);
  return {
    body,
    gzipped: gzipSync(body, { level: 9 }),
    type: TYPES[extname(path)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    immutable: path.includes(`${sep}assets${sep}`),
  };
}
