import type { Context } from 'hono';
import type { RunView } from './run-view.js';

/** A response that is made while it is read, under the run's name. */
export function download(
  c: Context,
  view: RunView,
  content: { extension: string; type: string; chunks: Iterator<string, void> },
): Response {
  const { extension, type, chunks } = content;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = chunks.next();
      if (done === true || value === undefined) controller.close();
      else controller.enqueue(Buffer.from(value));
    },
  });
  const name = view.facts().run.replace(/[^A-Za-z0-9._-]/g, '_');
  c.header('Content-Type', `${type}; charset=utf-8`);
  c.header('Content-Disposition', `attachment; filename="${name}.${extension}"`);
  return c.body(body);
}
